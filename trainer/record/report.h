// The report: one self-contained HTML page that lays runs over one another, per epoch, per update and per
// second.
#pragma once

#include <string>
#include <vector>

namespace crescendo {

// Writes the page of the given run folders to `output_path`. Runs are named after their folders; where two
// folders have one name, by their paths. An empty title is made from the names. Throws std::invalid_argument
// with one line for no folder, a folder that is not a run, is given twice or has no metrics yet, and for a
// metrics file that cannot be read; FileError if the page cannot be written.
void write_report(const std::vector<std::string>& run_folders, const std::string& output_path,
                  const std::string& title = "");

}  // namespace crescendo
