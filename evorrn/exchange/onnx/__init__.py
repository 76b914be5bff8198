"""Networks as ONNX models: nodes RNN, LSTM and GRU where a cell is one of these, a Scan over the time step elsewhere."""
