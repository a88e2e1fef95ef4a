package sloglint

import "log/slog"

func said(log *slog.Logger, what string) {
	log.Info("sent "+what, "peer", what)              // want `message should be a string literal or a constant`
	log.Info("sent", "peerName", what)                // want `keys should be written in snake_case`
	log.Info("sent", "peer", what, slog.Int("of", 1)) // want `key-value pairs and attributes should not be mixed`
}
