"""Everything that knows Airflow and is no DAG: environment, servers, REST API, task builders."""

PREFIX = "/tidemark"  # of our pages inside Airflow's UI
