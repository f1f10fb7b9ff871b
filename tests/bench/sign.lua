-- wrk script: every request signs with a contact of its own. `wrk -s sign.lua URL -- RUN` makes the
-- contacts of different runs differ.
local thread_number = 0

function setup(thread)
    thread_number = thread_number + 1
    thread:set("number", thread_number)
end

function init(args)
    prefix = "name=Sok+Dara&country=KH&visibility=private&contact=u" .. (args[1] or "0") .. "-" .. number .. "-"
    count = 0
    wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
end

function request()
    count = count + 1
    return wrk.format("POST", "/en/sign", nil, prefix .. count .. "%40example.org")
end
