"""Tickets of asynchronous work: their records, the store that keeps them, the queue behind them."""
