"""What lands: source files, the landing folder, keys; `sample/` generates logs."""
