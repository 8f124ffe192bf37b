// crescendo report RUN... -o report.html
#pragma once

#include <CLI/CLI.hpp>

namespace crescendo {

void add_report_command(CLI::App& app);

}  // namespace crescendo
