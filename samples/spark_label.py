"""Label a folder with Spark: ``mapPartitions``, one labeler in each Python process of the executors.

All nodes need aigc-labeling, and source, target, configuration and results at the same places:
    spark-submit --py-files samples/label_partition.py samples/spark_label.py pictures labelled aigc-label.toml results
A fifth argument is the ledger, a URL of PostgreSQL. Leave ``spark.speculation`` off: two processes would make one file.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from label_partition import label_partition, listed
from pyspark.sql import SparkSession

FILES = 256
"""Files in a partition: what a process does before its result is safe, and does again if it is lost."""


def main(source: str, target: str, config: str, results: str, ledger: str = "") -> None:
    spark = SparkSession.builder.appName("aigc-labeling").getOrCreate()
    paths = listed(source)
    work = partial(label_partition, source=source, target=target, config=config, ledger=ledger)
    rows = spark.sparkContext.parallelize(paths, -(-len(paths) // FILES) or 1).mapPartitions(work)
    columns = "path string, status string, content_id string, sha256 string, error string"
    # The one action on these rows: each would label again. Whatever else is asked is asked of what was written.
    spark.createDataFrame(rows, columns).write.mode("overwrite").json(results)
    for row in spark.read.schema(columns).json(results).groupBy("status").count().orderBy("status").collect():
        print(f"{row['count']} {row['status']}")
    spark.stop()


if __name__ == "__main__":
    main(*(each if "://" in each else str(Path(each).absolute()) for each in sys.argv[1:]))
