// The commands of the program: each adds itself to the command line, with a callback that does the work. Bad
// input is thrown as std::invalid_argument and becomes one line and exit code 2 (main.cpp).
#pragma once

#include <CLI/CLI.hpp>

namespace crescendo {

void add_train_command(CLI::App& app);
void add_plan_command(CLI::App& app);
void add_evaluate_command(CLI::App& app);
void add_predict_command(CLI::App& app);
void add_report_command(CLI::App& app);
void add_inspect_command(CLI::App& app);
void add_export_command(CLI::App& app);
void add_import_command(CLI::App& app);
void add_demo_command(CLI::App& app);
void add_data_command(CLI::App& app);

// Thrown by a command to end the program with a code of its own, e.g. 143 after SIGTERM.
struct ExitCode {
  int code;
};

}  // namespace crescendo
