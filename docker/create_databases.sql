-- Beside Airflow's own database: the Iceberg catalogue and MLflow.
CREATE DATABASE catalog;
CREATE DATABASE mlflow;
