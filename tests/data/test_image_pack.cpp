#include <doctest/doctest.h>

#include "base/check.h"
#include "data/image_folder.h"
#include "data/write_pack.h"
#include "picture_fixture.h"

using namespace crescendo;
using namespace crescendo::test;
namespace fs = std::filesystem;

namespace {

struct Fixture {
  explicit Fixture(int64_t side = 40) {
    int number = 0;
    for (const char* split : {"train", "val"})
      for (const char* name : {"cat", "dog"})
        for (const char* file : {"1.png", "2.png"}) {
          ++number;
          write_file(root / join("set/", split, "/", name, "/", file),
                     png_of(draw(side + number, side + 8 - number, number)));
        }
    options.kind = "image-folder";
    options.directory = root / "set";
    options.image_size = 16;
    options.augment = Augment::none;
  }

  std::string pack(const PackOptions& how, const std::string& name = "a.pack") {
    const auto train = read_image_folder(options, Split::train),
               val = read_image_folder(options, Split::test);
    std::string bytes;
    report = write_pack(
        train.get(), val.get(), how,
        [&](const void* data, size_t count) { bytes.append(static_cast<const char*>(data), count); },
        [](int64_t, int64_t) {});
    write_text(root / name, bytes);
    return root / name;
  }

  std::shared_ptr<const Dataset> open(const std::string& from, Split split) {
    DatasetOptions of = options;
    of.directory = from;
    return make_dataset(of, split);
  }

  TemporaryFolder root;
  DatasetOptions options;
  PackReport report;
};

std::vector<float> all_of(const Dataset& set) {
  const int64_t elements = set.image_size().elements();
  std::vector<float> pixels(static_cast<size_t>(set.size() * elements + set.size()));
  for (int64_t i = 0; i < set.size(); ++i)
    pixels[static_cast<size_t>(set.size() * elements + i)] =
        static_cast<float>(set.sample(i, {1, 2}, pixels.data() + i * elements));
  return pixels;
}

// The mean absolute difference of two images, in steps of a byte.
double mean_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(static_cast<double>(a[i] - b[i]));
  return sum / static_cast<double>(a.size()) * 0.225 * 255;
}

// Reads all of a pack and returns the error's message.
std::string problem_of(const std::string& path) {
  return error_of([&] {
    const PackFile pack(path);
    for (int64_t i = 0; i < pack.images(); ++i) pack.record(i);
  });
}

}  // namespace

TEST_CASE("a pack of files gives the pixels of the folder") {
  if (!has_decoder()) return;
  Fixture fixture;
  const std::string path = fixture.pack({});
  CHECK(fixture.report.images[0] == 4);
  CHECK(fixture.report.images[1] == 4);
  CHECK(fixture.report.bytes == static_cast<int64_t>(fs::file_size(path)));
  for (const Split split : {Split::train, Split::test}) {
    const auto packed = fixture.open(path, split), folder = fixture.open(fixture.options.directory, split);
    CHECK(packed->class_names() == folder->class_names());
    CHECK(all_of(*packed) == all_of(*folder));
  }
  const auto source = open_image_pack(path, Split::test);
  CHECK(source->path(3) == path + "/dog/2.png");
  CHECK(dataset_traits([&] {
          DatasetOptions options = fixture.options;
          options.directory = path;
          return options;
        }())
            .test_images == 4);
}

TEST_CASE("a pack has the same bytes, whatever folder its pictures are in") {
  if (!has_decoder()) return;
  Fixture a, b;
  CHECK(read_text(a.pack({.content = PackContent::raw, .short_side = 20})) ==
        read_text(b.pack({.content = PackContent::raw, .short_side = 20})));
}

TEST_CASE("packs reduce large pictures to a short side and keep small ones") {
  if (!has_decoder()) return;
  Fixture fixture;
  for (const PackContent content : {PackContent::raw, PackContent::jpeg}) {
    const std::string path = fixture.pack({.content = content, .short_side = 43, .quality = 100});
    const PackFile pack(path);
    for (int64_t i = 0; i < pack.images(); ++i) {
      const PackEntry entry = pack.entry(i);
      const int64_t width = 41 + i, height = 47 - i, least = std::min(width, height);
      CHECK(entry.width == (least > 43 ? width * 43 / least : width));
      CHECK(entry.height == (least > 43 ? height * 43 / least : height));
    }
    const auto packed = fixture.open(path, Split::train);
    const auto folder = fixture.open(fixture.options.directory, Split::train);
    // Rounding to bytes is a quarter of a step; JPEG halves the resolution of colours.
    CHECK(mean_difference(all_of(*packed), all_of(*folder)) < (content == PackContent::raw ? 0.6 : 3));
  }
}

TEST_CASE("a raw pack that reduced nothing has the pixels of the folder") {
  if (!has_decoder()) return;
  Fixture fixture;
  const auto packed =
      fixture.open(fixture.pack({.content = PackContent::raw, .short_side = 100}), Split::train);
  CHECK(all_of(*packed) == all_of(*fixture.open(fixture.options.directory, Split::train)));
}

TEST_CASE("bad pictures are an error or are left out of a pack") {
  if (!has_decoder()) return;
  Fixture fixture;
  const std::string bad = fixture.options.directory + "/train/dog/1.png";
  write_text(bad, "no picture");
  CHECK(error_of([&] { fixture.pack({}); }) ==
        bad + " is neither JPEG nor PNG (--bad-images skip leaves such pictures out)");
  const std::string path = fixture.pack({.skip_bad = true});
  CHECK(fixture.report.left_out == std::vector<std::string>{bad + " is neither JPEG nor PNG"});
  CHECK(fixture.open(path, Split::train)->size() == 3);
}

TEST_CASE("a pack that is cut off or changed at any byte is rejected") {
  if (!has_decoder()) return;
  Fixture fixture(4);
  for (const PackContent content : {PackContent::files, PackContent::raw}) {
    const std::string whole = read_text(fixture.pack({.content = content, .short_side = 100}));
    const std::string path = fixture.root / "spoilt.pack";
    write_text(path, whole);
    REQUIRE(problem_of(path).empty());
    for (size_t i = 0; i < whole.size(); ++i) {
      write_text(path, whole.substr(0, i));
      if (problem_of(path).empty()) FAIL_CHECK("cut off at ", i);
      std::string changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ 1 << i % 8);
      write_text(path, changed);
      if (problem_of(path).empty()) FAIL_CHECK("changed at ", i);
    }
    write_text(path, whole + "x");
    CHECK_FALSE(problem_of(path).empty());
  }
}

TEST_CASE("errors of packs name the file") {
  if (!has_decoder()) return;
  Fixture fixture;
  const std::string path = fixture.pack({}), whole = read_text(path);
  write_text(path, whole.substr(0, whole.size() / 2));
  CHECK(error_of([&] { fixture.open(path, Split::train); }) ==
        path + ": was cut off or changed: its last 48 bytes are not a footer");
  std::string changed = whole;
  changed[16 + 50] = static_cast<char>(changed[16 + 50] ^ 4);  // a byte of the first record
  write_text(path, changed);
  CHECK(error_of([&] { all_of(*fixture.open(path, Split::train)); }) ==
        path + "/cat/1.png was changed since it was packed");
  write_text(path, "something else that is long enough to be looked at");
  CHECK(error_of([&] { fixture.open(path, Split::train); }) == path + ": is not a pack of pictures");
}
