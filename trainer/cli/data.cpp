// crescendo data verify and fetch, for CIFAR. data_pictures.cpp has the commands for pictures.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/check.h"
#include "data/cifar.h"
#include "data/fetch.h"
#include "trainer/cli/commands.h"
#include "trainer/cli/data_pictures.h"
#include "trainer/record/console.h"

namespace crescendo {
namespace {

namespace fs = std::filesystem;

// Prints the archive's checksum. The archive may lie beside the unpacked folder, or in it.
void report_archive(const CifarFormat& format, const fs::path& folder) {
  for (const fs::path& near : {folder, fs::absolute(folder / ".").parent_path().parent_path()}) {
    const fs::path archive = near / format.archive;
    if (!fs::exists(archive)) continue;
    const std::string md5 = file_md5(archive);
    print_output("  {}  md5 {}  official: {}\n", format.archive, md5, md5 == format.md5 ? "yes" : "no");
    return;
  }
}

void print_file(const CifarFormat& format, const CifarFileReport& file) {
  if (file.bytes < 0) {
    print_output("  {:18} missing\n", file.name);
    return;
  }
  print_output("  {:18} {:>10} bytes {:>6} images", file.name, file.bytes,
               file.bytes / format.record_bytes());
  if (!file.class_counts.empty()) {
    const auto [least, most] = std::minmax_element(file.class_counts.begin(), file.class_counts.end());
    print_output(", {} to {} of a class", *least, *most);
  }
  print_output("\n");
}

// Prints the digests that a run writes into its manifest, to tell whether it saw the same set.
void print_split(const CifarFormat& format, const fs::path& folder, Split split) {
  DatasetOptions options;
  options.directory = folder.string();
  const auto set = read_cifar(format, options, split);
  print_output("  {:5} {} images, {} of each of {} classes, digest {}\n",
               split == Split::train ? "train" : "test", set->size(), set->size() / format.classes(),
               format.classes(), set->digest());
}

// Returns the number of problems.
size_t verify(const CifarFormat& format, const fs::path& directory) {
  const CifarReport report = verify_cifar(format, directory);
  print_output("{} in {}\n", format.title, report.folder.string());
  for (const CifarFileReport& file : report.files) print_file(format, file);
  report_archive(format, report.folder);
  for (const std::string& problem : report.problems) print_output("  problem: {}\n", problem);
  if (report.problems.empty())
    for (const Split split : {Split::train, Split::test}) print_split(format, report.folder, split);
  return report.problems.size();
}

void verify_directory(const std::string& directory, const std::string& kind) {
  std::vector<const CifarFormat*> found;
  for (const CifarFormat& format : cifar_formats())
    if (kind.empty() ? !seek_cifar(format, directory).empty() : kind == format.kind) found.push_back(&format);
  if (found.empty()) found.push_back(&cifar_formats().front());  // its report lists the files found
  size_t problems = 0;
  for (const CifarFormat* format : found) problems += verify(*format, directory);
  require(problems == 0, "data verify: ", problems, problems == 1 ? " problem in " : " problems in ",
          directory);
  print_output("no problems\n");
}

std::vector<std::string> kinds() {
  std::vector<std::string> names;
  for (const CifarFormat& format : cifar_formats()) names.push_back(format.kind);
  return names;
}

struct DataArguments {
  std::string directory, kind, val_dir;
};

void add_verify(CLI::App& data) {
  CLI::App* command =
      data.add_subcommand("verify", "Check CIFAR's files, or every picture of a folder or a pack");
  auto arguments = std::make_shared<DataArguments>();
  command
      ->add_option(
          "DIR", arguments->directory,
          "CIFAR: the folder of the .bin files, or its parent. Pictures: DIR/{train,val}/CLASS/*, or a pack")
      ->required();
  command->add_option("--data", arguments->kind, "Data set to expect; default: the one that is found")
      ->check(CLI::IsMember(kinds()));
  command->add_option("--val-dir", arguments->val_dir, "Folder of the validation pictures; default: DIR/val");
  command->footer(
      "Lists every file with its size and images, every problem, and the digests that runs write to their\n"
      "manifests. Decodes every picture. Exits with 2 if there is a problem.\n\n"
      "Example:\n  crescendo data verify datasets/cifar-10-batches-bin");
  command->callback([arguments] {
    if (arguments->kind.empty() && (holds_pictures(arguments->directory) || !arguments->val_dir.empty()))
      return verify_pictures(arguments->directory, arguments->val_dir);
    verify_directory(arguments->directory, arguments->kind);
  });
}

void add_fetch(CLI::App& data) {
  CLI::App* command = data.add_subcommand("fetch", "Download, check and unpack CIFAR-10 or CIFAR-100");
  auto arguments = std::make_shared<DataArguments>();
  arguments->directory = "datasets";
  command->add_option("NAME", arguments->kind, "Data set to download")
      ->required()
      ->check(CLI::IsMember(kinds()));
  command->add_option("--data-dir", arguments->directory, "Folder to unpack into")->capture_default_str();
  command->footer(
      "Needs curl, md5sum and tar. Without a network, put the archive into the folder yourself.\n\n"
      "Example:\n  crescendo data fetch cifar10 --data-dir datasets");
  command->callback([arguments] {
    const CifarFormat& format = cifar_format(arguments->kind);
    print_output("{}: {}\n  md5 {}\n", format.title, format.address(), format.md5);
    fetch_cifar(format, arguments->directory, [](const std::string& line) {
      print_output("{}\n", line);
      std::fflush(stdout);  // a download takes a while
    });
  });
}

}  // namespace

void add_data_command(CLI::App& app) {
  CLI::App* data = app.add_subcommand("data", "Check, download and pack data sets");
  data->require_subcommand(1);
  add_verify(*data);
  add_fetch(*data);
  add_info_command(*data);
  add_pack_command(*data);
}

}  // namespace crescendo
