"""Write and apply the Feast repository of the home.

python -m pipeline.features.feast
"""

from pipeline.features.feast.repository import FOLDER, open_feature_store
from pipeline.runtime import program
from pipeline.runtime.settings import load_settings


def main() -> None:
    settings = load_settings()
    views = open_feature_store(settings).list_feature_views()
    for view in views:
        print(f"{settings.home / FOLDER}: {view.name}, {len(view.features)} features")


if __name__ == "__main__":
    program.run(main)
