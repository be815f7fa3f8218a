"""Production: boards are flashed, tested and labelled as they are plugged in; `ledger` remembers each."""
