"""Everything that knows Airflow and is no DAG: environment, servers, REST API, task builders."""
