"""What is decided from features: segments, campaigns, experiments, uplift, interventions."""
