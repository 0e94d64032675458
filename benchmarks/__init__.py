"""Speed and memory of the package, beside what else one would use: README.md says how."""
