//! Fuzz targets as plain functions, with a corpus that replays in cargo test.
