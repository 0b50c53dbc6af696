"""A world of ads with known truth, to see how policies fare before anybody sees their ads."""
