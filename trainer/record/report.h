// The report: one self-contained HTML page that compares runs per epoch, per update and per second.
#pragma once

#include <string>
#include <vector>

namespace crescendo {

// Writes the page of the given run folders to `output_path`. Runs are named after their folders, or by their
// paths where two folders have the same name. An empty title is made from the names. Throws
// std::invalid_argument with one line if no folder is given, or one is not a run, is given twice, has no
// metrics yet, or has metrics that cannot be read. Throws FileError if the page cannot be written.
void write_report(const std::vector<std::string>& run_folders, const std::string& output_path,
                  const std::string& title = "");

}  // namespace crescendo
