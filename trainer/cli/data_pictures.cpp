#include "trainer/cli/data_pictures.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/check.h"
#include "data/image_folder.h"
#include "data/image_pack.h"
#include "data/write_pack.h"
#include "trainer/record/console.h"
#include "trainer/store/file.h"

namespace crescendo {
namespace {

namespace fs = std::filesystem;

constexpr std::array kSplits{Split::train, Split::test};

const char* name_of(Split split) { return split == Split::train ? "train" : "val"; }

DatasetOptions options_for(const std::string& path, const std::string& val_dir) {
  DatasetOptions options;
  options.kind = "image-folder";
  options.directory = path;
  options.val_directory = val_dir;
  return options;
}

// Returns the pictures of a split; null if a folder or pack has only the other split.
std::shared_ptr<const PictureSource> open_split(const DatasetOptions& options, Split split) {
  const fs::path root = options.directory;
  const bool val_elsewhere = split == Split::test && !options.val_directory.empty();
  const bool there = is_image_pack(root) ? PackFile(root).images_of(split) > 0
                                         : val_elsewhere || fs::is_directory(root / name_of(split));
  return there ? open_pictures(options, split) : nullptr;
}

void print_split(const PictureSource& source, Split split) {
  std::vector<int64_t> counts(source.class_names().size());
  for (int64_t i = 0; i < source.size(); ++i) ++counts[static_cast<size_t>(source.label(i))];
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  print_output("  {:5} {} pictures, {} to {} of each of {} classes, digest {}\n", name_of(split),
               source.size(), *least, *most, counts.size(), source.digest());
  for (const DatasetNote& note : source.notes())
    print_output("        {}, e.g. {}\n", note.text, note.lines.front());
}

void print_place(const std::string& path) {
  if (!is_image_pack(path)) return print_output("folder {}\n", path);
  const PackFile pack(path);
  const PackIndexHeader& header = pack.header();
  const char* content = header.content == PackContent::raw    ? "pixels"
                        : header.content == PackContent::jpeg ? "JPEG"
                                                              : "files as they were";
  print_output("pack {}: {} bytes, {}", path, pack.bytes(), content);
  if (header.short_side > 0) print_output(", short sides of at most {}", header.short_side);
  print_output("\n");
}

// Calls f(source, split) for each split that exists. Throws if there is none.
template <class F>
void for_each_split(const DatasetOptions& options, const F& f) {
  bool any = false;
  for (const Split split : kSplits) {
    const auto source = open_split(options, split);
    if (source) f(*source, split);
    any = any || source;
  }
  require(any, "image-folder: ", options.directory, " has neither train nor val");
}

// Facts from the headers of pictures. Pictures with unreadable headers are counted.
struct HeaderCounts {
  int64_t jpeg = 0, png = 0, grey = 0, cmyk = 0, turned = 0, unreadable = 0, pixels = 0;

  void add(const PictureRecord& record) {
    const PictureHeader header = read_picture_header(record.bytes);
    const bool is_jpeg = header.format == PictureFormat::jpeg;
    ++(is_jpeg ? jpeg : png);
    grey += is_jpeg && header.components == 1 ? 1 : 0;
    cmyk += is_jpeg && header.components == 4 ? 1 : 0;
    turned += header.orientation != 1 ? 1 : 0;
    pixels += header.width * header.height;
  }
  void print() const {
    const int64_t readable = std::max<int64_t>(jpeg + png, 1);
    print_output(
        "        {} JPEG ({} grey, {} CMYK), {} PNG, {} unreadable; {} to be turned by EXIF; {:.0f} pixels "
        "on average\n",
        jpeg, grey, cmyk, png, unreadable, turned,
        static_cast<double>(pixels) / static_cast<double>(readable));
  }
};

void print_headers(const PictureSource& source) {
  HeaderCounts counts;
  std::vector<uint8_t> buffer;
  for (int64_t i = 0; i < source.size(); ++i) {
    try {
      const PictureRecord record = source.read(i, buffer);
      if (record.raw) return;
      counts.add(record);
    } catch (const std::invalid_argument&) {
      ++counts.unreadable;
    }
  }
  counts.print();
}

struct PackArguments {
  std::string directory, val_dir, output, bad_images = "fail";
  int64_t short_side = 0, raw = 0;
  int quality = 95;

  PackOptions options() const {
    return {.content = raw > 0          ? PackContent::raw
                       : short_side > 0 ? PackContent::jpeg
                                        : PackContent::files,
            .short_side = std::max(raw, short_side),
            .quality = quality,
            .skip_bad = bad_images == "skip"};
  }
};

void pack(const PackArguments& arguments) {
  const DatasetOptions options = options_for(arguments.directory, arguments.val_dir);
  require(fs::is_directory(options.directory), "data pack: ", options.directory, " is not a folder");
  const auto train = open_split(options, Split::train), val = open_split(options, Split::test);
  require(train || val, "image-folder: ", options.directory, " has neither train nor val");
  const bool live = isatty(STDOUT_FILENO) != 0;
  DurableFile file(arguments.output);
  const PackReport report = write_pack(
      train.get(), val.get(), arguments.options(),
      [&](const void* data, size_t bytes) { file.write(data, bytes); },
      [&](int64_t done, int64_t total) {
        if (!live) return;
        write_or_drop(stdout,
                      fmt::format("\r{} of {} pictures{}", done, total, done == total ? "\r\x1b[K" : ""));
      });
  file.commit();
  for (const std::string& line : report.left_out) print_output("left out: {}\n", line);
  print_output("{}: {} training and {} validation pictures, {} left out, {} bytes\n", arguments.output,
               report.images[0], report.images[1], report.left_out.size(), report.bytes);
}

}  // namespace

bool holds_pictures(const std::string& path) { return is_image_pack(path) || looks_like_image_folder(path); }

void verify_pictures(const std::string& path, const std::string& val_dir) {
  print_place(path);
  int64_t problems = 0;
  for_each_split(options_for(path, val_dir), [&](const PictureSource& source, Split split) {
    print_split(source, split);
    print_headers(source);
    const std::vector<PictureProblem> found = check_pictures(source);
    for (int64_t i = 0; i < source.size(); ++i) {
      const PictureProblem& problem = found[static_cast<size_t>(i)];
      if (problem) print_output("  problem: {} {}\n", source.path(i), *problem);
      problems += problem ? 1 : 0;
    }
  });
  require(problems == 0, "data verify: ", problems, problems == 1 ? " problem in " : " problems in ", path);
  print_output("no problems\n");
}

void add_info_command(CLI::App& data) {
  CLI::App* command = data.add_subcommand(
      "info", "Print the contents of a folder or pack of pictures, without decoding them");
  auto path = std::make_shared<std::string>(), val_dir = std::make_shared<std::string>();
  command->add_option("DIR", *path, "Pictures: DIR/{train,val}/CLASS/*, or a pack")->required();
  command->add_option("--val-dir", *val_dir, "Folder of the validation pictures; default: DIR/val");
  command->footer("Example:\n  crescendo data info datasets/imagenet");
  command->callback([path, val_dir] {
    const DatasetOptions options = options_for(*path, *val_dir);
    for_each_split(options, [](const PictureSource&, Split) {});  // throws before any output
    print_place(*path);
    for_each_split(options, print_split);
  });
}

void add_pack_command(CLI::App& data) {
  CLI::App* command = data.add_subcommand("pack", "Put a folder of pictures into one file that loads faster");
  auto arguments = std::make_shared<PackArguments>();
  command->add_option("DIR", arguments->directory, "Pictures: DIR/{train,val}/CLASS/*")->required();
  command->add_option("-o,--output", arguments->output, "Pack to write")->required();
  command->add_option("--val-dir", arguments->val_dir, "Folder of the validation pictures; default: DIR/val");
  CLI::Option* short_side =
      command
          ->add_option("--short-side", arguments->short_side,
                       "Store JPEG files; reduce larger pictures to this short side in pixels")
          ->check(CLI::Range(8, 4096));
  CLI::Option* quality =
      command->add_option("--quality", arguments->quality, "JPEG quality with --short-side")
          ->check(CLI::Range(1, 100))
          ->capture_default_str()
          ->needs(short_side);
  command
      ->add_option("--raw", arguments->raw,
                   "Store pixels; reduce larger pictures to this short side in pixels")
      ->check(CLI::Range(8, 4096))
      ->excludes(short_side)
      ->excludes(quality);
  command
      ->add_option("--bad-images", arguments->bad_images,
                   "Pictures that cannot be decoded: fail, or skip them")
      ->check(CLI::IsMember({"fail", "skip"}))
      ->capture_default_str();
  command->footer(
      "Without --short-side or --raw the files are kept as they are. Every picture is decoded once.\n\n"
      "Examples:\n  crescendo data pack datasets/imagenet -o imagenet.pack\n"
      "  crescendo data pack datasets/imagenet -o imagenet-256.pack --raw 256\n"
      "  crescendo train --data image-folder --data-dir imagenet-256.pack ...");
  command->callback([arguments] { pack(*arguments); });
}

}  // namespace crescendo
