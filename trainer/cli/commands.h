// The commands of the program. Each function adds a command to the command line, with a callback that does
// the work. Bad input throws std::invalid_argument, which main.cpp turns into one line and exit code 2.
#pragma once

#include <CLI/CLI.hpp>

namespace crescendo {

void add_train_command(CLI::App& app);
void add_launch_command(CLI::App& app);
void add_plan_command(CLI::App& app);
void add_evaluate_command(CLI::App& app);
void add_predict_command(CLI::App& app);
void add_report_command(CLI::App& app);
void add_inspect_command(CLI::App& app);
void add_export_command(CLI::App& app);
void add_import_command(CLI::App& app);
void add_demo_command(CLI::App& app);
void add_data_command(CLI::App& app);

constexpr int kNonFiniteExit = 3;

// Ends the program with this exit code when a command throws it, e.g. 143 after SIGTERM.
struct ExitCode {
  int code;
};

}  // namespace crescendo
