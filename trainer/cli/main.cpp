// The command line.
#include <fmt/format.h>

#include <exception>
#include <iostream>
#include <new>

#include "build_info.h"
#include "kernels/instruction_set.h"
#include "trainer/cli/commands.h"
#include "trainer/record/console.h"
#include "trainer/step/gradient_sum.h"
#include "trainer/workers/together.h"

namespace crescendo {
namespace {

constexpr int kBadInput = 2;

std::string version_text() {
  std::string sets;
  for (const InstructionSet set : instruction_sets())
    sets.append(sets.empty() ? "" : ", ").append(name_of(set));
  return fmt::format("crescendo {} ({})\ncompiler: {}, {}\ninstruction sets: {}\nlibraries: {}",
                     build_info::kVersion, build_info::kCommit, build_info::kCompiler, build_info::kBuildType,
                     sets, build_info::kLibraries);
}

int fail(const char* what, int code) {
  print_error("crescendo: {}\n", what);
  return code;
}

int run(int argc, char** argv) {
  CLI::App app(
      "Trains deep networks, growing the batch where others decay the learning rate\n"
      "(Smith, Kindermans, Ying, Le: Don't Decay the Learning Rate, Increase the Batch Size, ICLR 2018).",
      "crescendo");
  app.set_version_flag("--version", version_text(),
                       "Print version, compiler, instruction sets (the best first) and libraries");
  app.require_subcommand(1);
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return fmt::format("crescendo: {} (see --help)\n", error.what());
  });
  add_train_command(app);
  add_launch_command(app);
  add_plan_command(app);
  add_evaluate_command(app);
  add_predict_command(app);
  add_report_command(app);
  add_inspect_command(app);
  add_export_command(app);
  add_import_command(app);
  add_demo_command(app);
  add_data_command(app);
  app.footer(
      "Start here:\n"
      "  crescendo demo                      train three ways on built-in data and compare\n"
      "  crescendo train --recipe list       list the paper's runs\n"
      "  crescendo COMMAND --help            show a command's options, with examples\n\n"
      "Exit codes:\n"
      "  0 success; 1 an error of the program, or output that could not be written; 2 bad input, or a file "
      "that "
      "cannot be used;\n"
      "  3 a loss or gradient that is not finite; 75 a worker was lost, --resume continues the run;\n"
      "  128 + N stopped by signal N, the run's state is saved");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    std::cout.flush();
    if (code != 0) return kBadInput;
  }
  finish_output();
  return 0;
}

}  // namespace
}  // namespace crescendo

int main(int argc, char** argv) {
  using namespace crescendo;
  secure_streams();
  try {
    return run(argc, argv);
  } catch (const ExitCode& exit) {
    return exit.code;
  } catch (const NonFiniteError& error) {
    return fail(error.what(), kNonFiniteExit);
  } catch (const std::bad_alloc&) {
    return fail("out of memory; a smaller --micro-batch needs less (crescendo plan shows how much)",
                kBadInput);
  } catch (const std::exception& error) {
    return fail(error.what(), exit_code_of(error));
  }
}
