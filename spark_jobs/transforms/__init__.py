"""Transforms: functions from table to table that know no path, no clock and no scheduler."""
