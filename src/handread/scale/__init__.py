"""Millions of pictures: folders, Parquet files and lists of addresses to Parquet, on threads or on a Ray cluster.

from handread.scale.run import ReadConfig, read_all
read_all(["photos/"], "read/", ReadConfig(alphabet="digits", one=True)).pictures
"""
