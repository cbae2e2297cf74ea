-- What wrk counted, exactly: its own text rounds it.
function done(summary, latency, _)
    local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status
    io.write(string.format("counted: %d requests, %d bytes, %d us, %d errors, 99%% in %d us\n", summary.requests, summary.bytes,
        summary.duration, errors, latency:percentile(99)))
end
