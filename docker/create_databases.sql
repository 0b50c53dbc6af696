-- One database and role for each of Airflow, the Iceberg catalogue and MLflow, and one for MLflow's accounts.
\set airflow `cat /run/secrets/airflow_database_password`
\set catalog `cat /run/secrets/catalog_database_password`
\set mlflow `cat /run/secrets/mlflow_database_password`
CREATE ROLE airflow LOGIN PASSWORD :'airflow';
CREATE ROLE catalog LOGIN PASSWORD :'catalog';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
CREATE DATABASE airflow OWNER airflow;
CREATE DATABASE catalog OWNER catalog;
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE mlflow_auth OWNER mlflow;
REVOKE CONNECT ON DATABASE airflow, catalog, mlflow, mlflow_auth FROM PUBLIC;
