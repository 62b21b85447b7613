-- SPDX-License-Identifier: MIT
std = "lua54"
max_line_length = 100
exclude_files = { "build" }
files["tests"] = { std = "+busted" }
-- Annotations only: functions without a body.
files["lua/shmkit/meta.lua"] = { ignore = { "212", "241" } }
