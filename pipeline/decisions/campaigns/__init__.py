"""Campaigns: what people declare, what users answered, which policy serves tomorrow."""
