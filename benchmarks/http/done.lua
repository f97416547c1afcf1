-- wrk's own counts, exact, as one line of JSON.
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('{"duration_us": %d, "requests": %d, "bytes": %.0f, "failed": %d, "refused": %d, "p99_us": %.0f}\n',
    summary.duration, summary.requests, summary.bytes,
    errors.connect + errors.read + errors.write + errors.timeout, errors.status, latency:percentile(99)))
end
