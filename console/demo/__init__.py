"""The console's side of `./gantry demo`: its people. Installed only there (GANTRY_DEMO)."""
