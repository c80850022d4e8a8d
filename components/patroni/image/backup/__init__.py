"""Backup and recovery with pgBackRest: bootstrap decision, archive watch, runner, restore test."""
