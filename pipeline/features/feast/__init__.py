"""Feast over `user_features`: a generated repository, read where the features are.

    python -m pipeline features feast          # writes and applies $TIDEMARK_HOME/feast/

    from pipeline.features.feast import open_feature_store
    store = open_feature_store()
    store.get_historical_features(labels, ["user_features:recency_days"]).to_df()
    store.get_online_features(["user_features:recency_days"], [{"user_id": …}]).to_dict()

Nothing is copied for Feast: history comes from the published table through `features.as_of`, current features from the
online store. Any Feast client reads the same with `FeatureStore(repo_path=…)`.
"""

from pipeline.features.feast.repository import open_feature_store

__all__ = ["open_feature_store"]
