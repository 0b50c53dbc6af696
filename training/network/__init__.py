"""The network: backbone, heads, losses, presets."""
