"""Each table declared once: columns, rules across columns, meaning; contracts; the features page."""
