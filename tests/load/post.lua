-- wrk: POST files in turn, count statuses, print percentiles.
--
--   wrk ... -s post.lua URL -- FILE...
--
-- After wrk's own report: "NAME VALUE" lines for scripts. Statuses are kept apart by thread, since
-- each has a Lua state of its own.

local threads = {}

function setup(thread)
    thread:set("number", #threads)
    table.insert(threads, thread)
end

function init(args)
    requests, next_one = {}, number
    for i, path in ipairs(args) do
        local file = assert(io.open(path, "rb"))
        requests[i] = wrk.format("POST", nil, nil, file:read("*a"))
        file:close()
    end
    ok, shed, other = 0, 0, 0
end

function request()
    next_one = next_one + 1
    return requests[next_one % #requests + 1]
end

function response(status)
    if status == 200 then
        ok = ok + 1
    elseif status == 503 then
        shed = shed + 1
    else
        other = other + 1
    end
end

function done(summary, latency)
    local sum = { ok = 0, shed = 0, other = 0 }
    for _, thread in ipairs(threads) do
        for name in pairs(sum) do
            sum[name] = sum[name] + thread:get(name)
        end
    end
    for name, value in pairs(sum) do
        print(string.format("count_%s %d", name, value))
    end
    for _, name in ipairs({ "connect", "read", "write", "timeout" }) do
        print(string.format("errors_%s %d", name, summary.errors[name]))
    end
    print(string.format("requests/s %.2f", summary.requests / summary.duration * 1e6))
    for _, percent in ipairs({ 50, 95, 99 }) do
        print(string.format("p%d ms %.2f", percent, latency:percentile(percent) / 1e3))
    end
end
