#include "data/folder_listing.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <unordered_map>

#include "base/check.h"

namespace crescendo {
namespace fs = std::filesystem;
namespace {

constexpr const char* kLabelFile = "labels.txt";

// The entries of a folder, each list sorted by bytes.
struct Entries {
  std::vector<std::string> folders, files, hidden;
};

Entries list(const fs::path& folder) {
  Entries entries;
  std::error_code error;
  fs::directory_iterator all(folder, error);
  require(!error, "image-folder: ", folder.string(), ": ", error.message());
  for (const fs::directory_entry& entry : all) {
    std::string name = entry.path().filename().string();
    const bool hidden = name.front() == '.';
    std::error_code unknown;  // an entry that cannot be examined is reported when it is read
    const bool is_folder = entry.is_directory(unknown);
    (hidden ? entries.hidden : is_folder ? entries.folders : entries.files).push_back(std::move(name));
  }
  for (std::vector<std::string>* names : {&entries.folders, &entries.files, &entries.hidden})
    std::sort(names->begin(), names->end());
  return entries;
}

void ignore(FolderListing& listing, const fs::path& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) listing.ignored.push_back((folder / name).string());
}

bool has_classes(const fs::path& folder) { return !fs::exists(folder / kLabelFile); }

std::vector<std::string> list_classes(const fs::path& folder) {
  std::vector<std::string> classes = list(folder).folders;
  require(!classes.empty(), "image-folder: ", folder.string(), " has no folders of classes");
  require(classes.size() > 1, "image-folder: ", folder.string(), " has one class, ", classes.front(),
          ": expected 2 or more");
  return classes;
}

void require_same_classes(const std::vector<std::string>& found, const fs::path& folder,
                          const std::vector<std::string>& expected, const fs::path& elsewhere) {
  const auto lacks = [](const std::vector<std::string>& names, const std::string& name) {
    return !std::binary_search(names.begin(), names.end(), name);
  };
  for (const std::string& name : expected)
    require(!lacks(found, name), "image-folder: ", folder.string(), " has no class ", name, ", which ",
            elsewhere.string(), " has");
  for (const std::string& name : found)
    require(!lacks(expected, name), "image-folder: ", folder.string(), " has a class ", name, ", which ",
            elsewhere.string(), " does not have");
}

void list_by_class(FolderListing& listing) {
  const Entries top = list(listing.folder);
  ignore(listing, listing.folder, top.hidden);
  ignore(listing, listing.folder, top.files);
  for (size_t label = 0; label < listing.class_names.size(); ++label) {
    const fs::path folder = listing.folder / listing.class_names[label];
    Entries entries = list(folder);
    ignore(listing, folder, entries.hidden);
    require(entries.folders.empty(), "image-folder: ", folder.string(), " has a folder ",
            entries.folders.empty() ? "" : entries.folders.front(), ", expected pictures only");
    require(!entries.files.empty(), "image-folder: ", folder.string(), " has no pictures");
    for (std::string& file : entries.files) {
      listing.files.push_back(std::move(file));
      listing.labels.push_back(static_cast<int32_t>(label));
    }
  }
}

// Returns the label of a class, given by name or, if no class has that name, by number in the order of names.
int32_t label_of(const std::string& word, const std::vector<std::string>& names, const std::string& where) {
  const auto found = std::lower_bound(names.begin(), names.end(), word);
  if (found != names.end() && *found == word) return static_cast<int32_t>(found - names.begin());
  int32_t number = -1;
  const auto end = word.data() + word.size();
  const auto result = std::from_chars(word.data(), end, number);
  const bool in_range = number >= 0 && static_cast<size_t>(number) < names.size();
  require(result.ec == std::errc() && result.ptr == end && in_range, where, ": ", word,
          " is not a class, expected a name or 0 to ", names.size() - 1);
  return number;
}

using Labels = std::unordered_map<std::string, int32_t>;

Labels read_labels(const fs::path& path, const std::vector<std::string>& class_names) {
  std::ifstream in(path);
  require(in.good(), "image-folder: ", path.string(), " cannot be read");
  Labels labels;
  int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    const std::string where = join("image-folder: ", path.string(), ":", ++number);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    const size_t space = line.find_last_of(" \t");
    require(space != std::string::npos && space > 0 && space + 1 < line.size(), where,
            ": expected a picture's name and its class");
    const std::string name = line.substr(0, line.find_last_not_of(" \t", space) + 1);
    const bool fresh = labels.emplace(name, label_of(line.substr(space + 1), class_names, where)).second;
    require(fresh, where, ": ", name, " is listed twice");
  }
  return labels;
}

void require_every_class(const FolderListing& listing) {
  std::vector<bool> seen(listing.class_names.size());
  for (const int32_t label : listing.labels) seen[static_cast<size_t>(label)] = true;
  const auto missing = std::find(seen.begin(), seen.end(), false);
  require(missing == seen.end(), "image-folder: ", listing.folder.string(), " has no picture of class ",
          missing == seen.end() ? "" : listing.class_names[static_cast<size_t>(missing - seen.begin())]);
}

void list_flat(FolderListing& listing) {
  Entries entries = list(listing.folder);
  ignore(listing, listing.folder, entries.hidden);
  ignore(listing, listing.folder, entries.folders);
  std::erase(entries.files, kLabelFile);
  const fs::path path = listing.folder / kLabelFile;
  const Labels labels = read_labels(path, listing.class_names);
  require(labels.size() == entries.files.size(), "image-folder: ", path.string(), " labels ", labels.size(),
          " pictures, but there are ", entries.files.size(), " beside it");
  for (std::string& file : entries.files) {
    const auto found = labels.find(file);
    require(found != labels.end(), "image-folder: ", path.string(), " has no label for ", file);
    listing.files.push_back(std::move(file));
    listing.labels.push_back(found->second);
  }
  require_every_class(listing);
}

}  // namespace

std::string FolderListing::name(int64_t index) const {
  const auto i = static_cast<size_t>(index);
  return by_class ? class_names[static_cast<size_t>(labels[i])] + "/" + files[i] : files[i];
}

FolderListing list_image_folder(const DatasetOptions& options, Split split) {
  const fs::path root = options.directory, train = root / "train";
  const fs::path val = options.val_directory.empty() ? root / "val" : fs::path(options.val_directory);
  const bool has_train = fs::is_directory(train);
  const fs::path folder = split == Split::train ? train : val;
  require(fs::is_directory(root), "image-folder: ", root.string(), " is neither a folder nor a pack");
  require(fs::is_directory(folder), "image-folder: ", folder.string(), " does not exist; expected ",
          root.string(), " to hold train/CLASS/* and val/CLASS/*");
  FolderListing listing;
  listing.folder = folder;
  listing.by_class = split == Split::train || has_classes(folder);
  // The classes are those of the training split, whichever split is listed.
  listing.class_names = list_classes(has_train ? train : val);
  if (has_train && listing.by_class && split == Split::test)
    require_same_classes(list_classes(val), val, listing.class_names, train);
  if (listing.by_class)
    list_by_class(listing);
  else
    list_flat(listing);
  return listing;
}

}  // namespace crescendo
