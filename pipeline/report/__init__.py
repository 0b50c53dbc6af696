"""The nightly report: figures of one night, drawn as one page that needs nothing but itself."""
