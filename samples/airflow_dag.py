"""A DAG for Airflow 3: every night, what is new in a bucket is labelled, and the task is as red as the run was.

A task that is tried again continues where the run was, since its journal is kept in ``STATE``: a folder that all
workers of Airflow share. Put ``label_new.py`` beside this file.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, task
from label_new import label_new

SOURCE, TARGET = "s3://generated/pictures", "s3://published/pictures"
CONFIG, STATE = "/etc/aigc/aigc-label.toml", "/var/lib/aigc-label/pictures"

with DAG(
    "label_pictures",
    schedule="15 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,  # the next night makes up for one that was missed
    max_active_runs=1,  # two runs in one target are refused
    tags=["aigc-labeling"],
):
    work = task(label_new, retries=2, retry_delay=timedelta(minutes=10), execution_timeout=timedelta(hours=20))
    work(SOURCE, TARGET, CONFIG, STATE)
