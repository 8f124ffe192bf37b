// crescendo report: writes the curves of several runs into one self-contained page.
#include <fmt/core.h>

#include <memory>
#include <string>
#include <vector>

#include "trainer/cli/commands.h"
#include "trainer/record/console.h"
#include "trainer/record/report.h"

namespace crescendo {

void add_report_command(CLI::App& app) {
  struct Arguments {
    std::vector<std::string> runs;
    std::string output = "report.html", title;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand(
      "report", "Write one page that compares runs: their curves, final figures and settings");
  command->add_option("runs", arguments->runs, "Run folders; each is a line in every chart")
      ->required()
      ->type_name("RUN");
  command->add_option("-o,--output", arguments->output, "HTML file to write; it needs no other file")
      ->capture_default_str()
      ->type_name("FILE");
  command->add_option("--title", arguments->title, "Heading of the page; default: the names of the runs")
      ->type_name("TEXT");
  command->footer(
      "Examples:\n"
      "  crescendo report runs/a\n"
      "  crescendo report runs/decaying runs/hybrid runs/increasing -o figure2.html --title \"Figure 2\"");
  command->callback([arguments] {
    write_report(arguments->runs, arguments->output, arguments->title);
    print_output("{}\n", arguments->output);
  });
}

}  // namespace crescendo
