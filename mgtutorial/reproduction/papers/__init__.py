"""What the papers print: one paper a file, data only; :mod:`.catalogue` collects them."""
