"""Speed and memory of the package, compared with what one would use instead: README.md says how."""
