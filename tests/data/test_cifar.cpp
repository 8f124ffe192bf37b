#include <doctest/doctest.h>

#include <algorithm>

#include "base/check.h"
#include "data/byte_images.h"
#include "data/cifar.h"
#include "data/cifar_fixture.h"

namespace fs = std::filesystem;

namespace crescendo {
namespace {

// A folder with intact files, which a test then damages.
struct Fixture {
  explicit Fixture(const std::string& kind) : format(small_format(kind)) {
    write_fixture(format, root / format.folder);
  }
  std::string file(const std::string& name) const { return root / format.folder + "/" + name; }
  void swap_bytes(const std::string& name, size_t at, char value) {
    std::string text = read_text(file(name));
    text[at] = value;
    write_text(file(name), text);
  }
  void swap(const std::string& a, const std::string& b) {
    const std::string first = read_text(file(a)), second = read_text(file(b));
    write_text(file(a), second);
    write_text(file(b), first);
  }
  DatasetOptions options() const { return {.kind = format.kind, .directory = root.path()}; }
  std::string error(Split split) const {
    return error_of([&] { read_cifar(format, options(), split); });
  }
  std::vector<std::string> problems() const { return verify_cifar(format, root.path()).problems; }

  TemporaryFolder root;
  CifarFormat format;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Checks that the error is one line and names the file.
void check_error(const std::string& error, const std::string& name, const std::string& part) {
  INFO(error);
  CHECK(contains(error, name));
  CHECK(contains(error, part));
  CHECK(!contains(error, "\n"));
}

}  // namespace

TEST_CASE("every image of intact files is read, with its label and its pixels") {
  for (const std::string kind : {"cifar10", "cifar100"}) {
    const Fixture fixture(kind);
    CHECK(fixture.problems().empty());
    for (const Split split : {Split::train, Split::test}) {
      const auto set = read_cifar(fixture.format, fixture.options(), split);
      const auto& images = dynamic_cast<const ByteImages&>(*set);
      REQUIRE(set->size() == fixture.format.files(split).images());
      std::vector<float> pixels(3072);
      for (int64_t i = 0; i < set->size(); ++i) {
        CHECK(set->sample(i, {}, pixels.data()) == fixture_label(fixture.format, split, i));
        bool equal = true;
        for (int64_t p = 0; p < 3072; ++p)
          equal &= images.image(i).bytes[p] == fixture_pixel(split, i, p / 1024, p / 32 % 32, p % 32);
        CHECK(equal);
        if (split == Split::train) continue;  // augmented
        const Normalisation& normalisation = fixture.format.normalisation;
        for (int64_t p = 0; p < 3072; ++p) {
          const auto c = static_cast<size_t>(p % 3);
          const auto byte = static_cast<float>(fixture_pixel(split, i, p % 3, p / 96, p / 3 % 32));
          equal &=
              pixels[static_cast<size_t>(p)] == (byte - normalisation.mean[c]) / normalisation.deviation[c];
        }
        CHECK(equal);
      }
    }
  }
}

TEST_CASE("the folder may be that of the files or its parent, and train_images takes the first") {
  const Fixture fixture("cifar10");
  DatasetOptions options = fixture.options();
  const auto whole = read_cifar(fixture.format, options, Split::train);
  options.directory = fixture.root / fixture.format.folder;
  CHECK(read_cifar(fixture.format, options, Split::train)->digest() == whole->digest());
  options.train_images = 30;
  const auto some = read_cifar(fixture.format, options, Split::train);
  CHECK(some->size() == 30);
  CHECK(some->digest() != whole->digest());
  CHECK(read_cifar(fixture.format, options, Split::test)->size() == 20);
  options.train_images = 101;
  check_error(error_of([&] { read_cifar(fixture.format, options, Split::train); }), "101", "there are 100");
}

TEST_CASE("only training images are augmented, and only if asked") {
  const Fixture fixture("cifar10");
  DatasetOptions options = fixture.options();
  const auto differs = [&](Split split) {
    const auto set = read_cifar(fixture.format, options, split);
    std::vector<float> first(3072), second(3072);
    bool any = false;
    for (int64_t i = 0; i < set->size(); ++i) {
      set->sample(i, {.seed = 1, .epoch = 0}, first.data());
      set->sample(i, {.seed = 1, .epoch = 1}, second.data());
      any |= first != second;
    }
    return any;
  };
  CHECK(differs(Split::train));
  CHECK(!differs(Split::test));
  options.augment = Augment::none;
  CHECK(!differs(Split::train));
}

TEST_CASE("class names come from the file beside the images, if there is one") {
  const Fixture fixture("cifar10");
  CHECK(read_cifar(fixture.format, fixture.options(), Split::test)->class_names()[9] == "truck");
  write_text(fixture.file("batches.meta.txt"), "a\nb\r\nc\nd\ne\nf\ng\nh\ni\nlorry\n\n");
  const auto names = read_cifar(fixture.format, fixture.options(), Split::test)->class_names();
  CHECK(names[1] == "b");
  CHECK(names[9] == "lorry");
  write_text(fixture.file("batches.meta.txt"), "a\nb\n");
  check_error(fixture.error(Split::test), "batches.meta.txt", "2 class names, expected 10");
  CHECK(fixture.problems().size() == 1);
}

TEST_CASE("built-in class names") {
  CHECK(cifar_format("cifar10").classes() == 10);
  const std::vector<std::string>& names = cifar_format("cifar100").class_names;
  CHECK(names.size() == 100);
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  CHECK_THROWS_AS(cifar_format("cifar"), std::invalid_argument);
}

TEST_CASE("official sizes") {
  const CifarFormat& ten = cifar_format("cifar10");
  CHECK(ten.train.names.size() == 5);
  CHECK(ten.train.records * ten.record_bytes() == 30730000);
  CHECK(ten.test.images() == 10000);
  const CifarFormat& hundred = cifar_format("cifar100");
  CHECK(hundred.train.records * hundred.record_bytes() == 153700000);
  CHECK(hundred.test.records * hundred.record_bytes() == 30740000);
}

TEST_CASE("a missing, short, long or compressed file is named with what was expected") {
  for (const std::string name : {"data_batch_1.bin", "data_batch_5.bin"}) {
    Fixture fixture("cifar10");
    const std::string text = read_text(fixture.file(name));
    for (const size_t bytes : {size_t{0}, size_t{1}, text.size() - 1}) {
      write_text(fixture.file(name), text.substr(0, bytes));
      check_error(fixture.error(Split::train), name, join("short: ", bytes, " bytes, expected 61460"));
    }
    write_text(fixture.file(name), text + "x");
    check_error(fixture.error(Split::train), name, "too long: 61461 bytes, expected 61460");
    CHECK(fixture.error(Split::test).empty());
    write_text(fixture.file(name), "\x1f\x8b and so on");
    check_error(fixture.error(Split::train), name, "gzip");
    fs::remove(fixture.file(name));
    check_error(fixture.error(Split::train), name, "is missing");
    write_text(fixture.file(name + ".gz"), "x");
    check_error(fixture.error(Split::train), name, "gunzip");
    fs::create_directory(fixture.file(name));
    check_error(fixture.error(Split::train), name, "is not a file");
    CHECK(fixture.problems().size() == 1);
  }
}

TEST_CASE("a label out of range is named with its file, record and value") {
  Fixture ten("cifar10");
  ten.swap_bytes("data_batch_3.bin", 7 * 3073, 10);
  check_error(ten.error(Split::train), "data_batch_3.bin", "record 7 has label 10, expected 0 to 9");
  CHECK(ten.error(Split::test).empty());
  ten.swap_bytes("test_batch.bin", 19 * 3073, static_cast<char>(255));
  check_error(ten.error(Split::test), "test_batch.bin", "record 19 has label 255");
  CHECK(ten.problems().size() == 2);

  Fixture coarse("cifar100");
  coarse.swap_bytes("test.bin", 3 * 3074, 20);
  check_error(coarse.error(Split::test), "test.bin", "record 3 has coarse label 20, expected 0 to 19");
  Fixture fine("cifar100");
  fine.swap_bytes("train.bin", 3 * 3074 + 1, 100);
  check_error(fine.error(Split::train), "train.bin", "record 3 has label 100, expected 0 to 99");
  Fixture pair("cifar100");
  pair.swap_bytes("train.bin", 1 * 3074, 4);
  check_error(pair.error(Split::train), "train.bin", "record 1 has label 0 with coarse label 4");
}

TEST_CASE("swapped, repeated and mislabelled files are found") {
  Fixture swapped("cifar10");
  swapped.swap("data_batch_1.bin", "test_batch.bin");
  check_error(swapped.error(Split::train), "data_batch_1.bin to data_batch_5.bin", "are files swapped");
  check_error(swapped.error(Split::test), "test_batch.bin",
              "10 images of class 0 (airplane), expected 2 of each");

  Fixture twice("cifar10");
  write_text(twice.file("data_batch_4.bin"), read_text(twice.file("data_batch_2.bin")));
  check_error(twice.error(Split::train), "data_batch_4.bin", "is a copy of data_batch_2.bin");
  const std::vector<std::string> problems = twice.problems();
  REQUIRE(problems.size() == 2);
  check_error(problems[0], "data_batch_4.bin", "is a copy of data_batch_2.bin");
  check_error(problems[1], "data_batch_1.bin", "20 images of class 2 (bird), expected 10");

  Fixture one("cifar10");
  one.swap_bytes("test_batch.bin", 0, 1);
  check_error(one.error(Split::test), "test_batch.bin", "1 images of class 0 (airplane), expected 2");
}

TEST_CASE("a test batch that is a balanced training batch shows as a copy, whichever is read") {
  Fixture fixture("cifar10");
  fixture.format.train.names = {"data_batch_1.bin"};
  write_text(fixture.file("data_batch_1.bin"), read_text(fixture.file("test_batch.bin")));
  for (const Split split : {Split::train, Split::test})
    check_error(fixture.error(split), "test_batch.bin", "is a copy of data_batch_1.bin");
}

TEST_CASE("verify lists every problem") {
  Fixture fixture("cifar10");
  fs::remove(fixture.file("data_batch_2.bin"));
  write_text(fixture.file("data_batch_3.bin"), "x");
  fixture.swap_bytes("data_batch_4.bin", 0, 77);
  write_text(fixture.file("batches.meta.txt"), "one\n");
  const CifarReport report = verify_cifar(fixture.format, fixture.root.path());
  CHECK(report.problems.size() == 4);
  REQUIRE(report.files.size() == 6);
  CHECK(report.files[0].class_counts == std::vector<int64_t>{10, 10, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(report.files[1].bytes == -1);
  CHECK(report.files[2].bytes == 1);
  CHECK(report.files[3].class_counts.empty());
}

TEST_CASE("the error for a folder without the files says what is there instead") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& kind, const std::string& directory) {
    return error_of(
        [&] { read_cifar(small_format(kind), {.kind = kind, .directory = directory}, Split::train); });
  };
  check_error(error("cifar10", ""), "cifar10", "--data-dir");
  check_error(error("cifar10", folder / "nowhere"), folder / "nowhere", "does not exist");
  check_error(error("cifar10", folder.path()), folder.path(), "expected data_batch_1.bin ... test_batch.bin");
  fs::create_directory(folder / "cifar-10-batches-py");
  check_error(error("cifar10", folder.path()), folder.path(), "Python version");
  write_text(folder / "cifar-10-binary.tar.gz", "x");
  check_error(error("cifar10", folder.path()), "cifar-10-binary.tar.gz", "not unpacked");
  check_error(error("cifar10", folder / "cifar-10-binary.tar.gz"), "cifar-10-binary.tar.gz", "is a file");
  write_text(folder / "data_batch_1.bin.gz", "x");
  check_error(error("cifar10", folder.path()), folder.path(), "still compressed");
}

TEST_CASE("one CIFAR given as the other") {
  const Fixture ten("cifar10"), hundred("cifar100");
  check_error(error_of([&] { read_cifar(ten.format, hundred.options(), Split::train); }), hundred.root.path(),
              "has CIFAR-100: use --data cifar100");
  check_error(error_of([&] { read_cifar(hundred.format, ten.options(), Split::test); }), ten.root.path(),
              "has CIFAR-10: use --data cifar10");
  // Under a wrong name, the file is recognised by its size. It is sparse: nothing is written.
  fs::resize_file(ten.file("test_batch.bin"), 30740000);
  check_error(ten.error(Split::test), "test_batch.bin", "the size of CIFAR-100's test.bin");
}

}  // namespace crescendo
