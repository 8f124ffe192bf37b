#include <doctest/doctest.h>

#include <set>

#include "data/image_folder.h"
#include "data/loader.h"
#include "picture_fixture.h"

using namespace crescendo;
using namespace crescendo::test;
namespace fs = std::filesystem;

namespace {

constexpr int64_t kSize = 16;

// Two splits with three classes of two pictures each. All pictures have different sizes.
struct Fixture {
  Fixture() {
    int number = 0;
    for (const char* split : {"train", "val"})
      for (const char* name : {"b", "a", "C"})
        for (const char* file : {"2.png", "1.JPEG"}) {
          ++number;
          write_file(path(split, name, file), png_of(draw(20 + number, 30 - number, number)));
        }
    options.kind = "image-folder";
    options.directory = root.path();
    options.image_size = kSize;
    options.augment = Augment::none;
  }

  std::string path(const std::string& split, const std::string& name, const std::string& file) const {
    return root / (split + "/" + name + "/" + file);
  }
  std::string error(Split split = Split::train) const {
    return error_of([&] { read_image_folder(options, split); });
  }
  std::shared_ptr<const Dataset> open(Split split = Split::train) const {
    return make_dataset(options, split);
  }

  TemporaryFolder root;
  DatasetOptions options;
};

std::vector<float> pixels_of(const Dataset& set, int64_t index) {
  std::vector<float> pixels(static_cast<size_t>(set.image_size().elements()));
  set.sample(index, {3, 1}, pixels.data());
  return pixels;
}

std::vector<std::string> names_of(const PictureSource& source) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < source.size(); ++i) names.push_back(source.name(i));
  return names;
}

std::vector<float> all_pixels(const std::shared_ptr<const Dataset>& set, int workers) {
  std::vector<float> all;
  Loader loader(set, {.shuffle = true, .seed = 5, .chunk = 7, .workers = workers, .end = 21});
  for (const int64_t first : {0, 7, 14}) {
    const LoadedSamples samples = loader.next(first);
    all.insert(all.end(), samples.images.begin(), samples.images.end());
  }
  return all;
}

}  // namespace

TEST_CASE("classes and pictures are in the order of their bytes, and hidden things are noted") {
  Fixture fixture;
  write_text(fixture.root / "train/.DS_Store", "x");
  write_text(fixture.root / "train/readme.txt", "x");
  write_text(fixture.path("train", "a", ".thumbs"), "x");
  fs::create_directory(fixture.root / "train/.ipynb_checkpoints");
  const auto source = read_image_folder(fixture.options, Split::train);
  CHECK(source->class_names() == std::vector<std::string>{"C", "a", "b"});
  CHECK(names_of(*source) ==
        std::vector<std::string>{"C/1.JPEG", "C/2.png", "a/1.JPEG", "a/2.png", "b/1.JPEG", "b/2.png"});
  CHECK(source->label(0) == 0);
  CHECK(source->label(5) == 2);
  REQUIRE(source->notes().size() == 1);
  CHECK(source->notes()[0].lines.size() == 4);
  CHECK(read_image_folder(fixture.options, Split::test)->notes().empty());
}

TEST_CASE("folders that are not a data set are rejected with one line") {
  Fixture fixture;
  const std::string train = fixture.root / "train", val = fixture.root / "val";
  SUBCASE("no pictures in a class") {
    fs::create_directory(train + "/d");
    fs::create_directory(val + "/d");
    CHECK(fixture.error() == "image-folder: " + train + "/d has no pictures");
  }
  SUBCASE("a class missing in val") {
    fs::remove_all(val + "/a");
    CHECK(fixture.error(Split::test) == "image-folder: " + val + " has no class a, which " + train + " has");
  }
  SUBCASE("a class of val only") {
    write_file(fixture.path("val", "d", "1.png"), png_of(draw(9, 9, 0)));
    CHECK(fixture.error(Split::test) ==
          "image-folder: " + val + " has a class d, which " + train + " does not have");
  }
  SUBCASE("one class") {
    fs::remove_all(train + "/a");
    fs::remove_all(train + "/b");
    CHECK(fixture.error() == "image-folder: " + train + " has one class, C: expected 2 or more");
  }
  SUBCASE("no class") {
    fs::remove_all(train);
    fs::create_directory(train);
    CHECK(fixture.error() == "image-folder: " + train + " has no folders of classes");
  }
  SUBCASE("a folder within a class") {
    fs::create_directory(train + "/b/more");
    CHECK(fixture.error() == "image-folder: " + train + "/b has a folder more, expected pictures only");
  }
  SUBCASE("no train") {
    fs::remove_all(train);
    CHECK(fixture.error().starts_with("image-folder: " + train + " does not exist; expected "));
    CHECK(fixture.error(Split::test).empty());
  }
  SUBCASE("neither folder nor pack") {
    fixture.options.directory = "/nonexistent";
    CHECK(fixture.error() == "image-folder: /nonexistent is neither a folder nor a pack");
  }
}

TEST_CASE("a val folder without classes has its labels in a file") {
  Fixture fixture;
  const std::string flat = fixture.root / "flat", labels = flat + "/labels.txt";
  for (const char* name : {"x y.png", "v.png", "w.png"}) write_file(flat + "/" + name, png_of(draw(8, 8, 0)));
  fixture.options.val_directory = flat;
  const auto error_with = [&](const std::string& text) {
    write_text(labels, text);
    return fixture.error(Split::test);
  };
  CHECK(error_with("x y.png b\r\nv.png 0\nw.png\ta\n") == "");
  const auto source = read_image_folder(fixture.options, Split::test);
  CHECK(names_of(*source) == std::vector<std::string>{"v.png", "w.png", "x y.png"});
  CHECK(source->label(0) == 0);
  CHECK(source->label(1) == 1);
  CHECK(source->label(2) == 2);
  const std::string where = "image-folder: " + labels;
  CHECK(error_with("x y.png b\nv.png 0\n") == where + " labels 2 pictures, but there are 3 beside it");
  CHECK(error_with("x y.png b\nv.png 0\nu.png 1\n") == where + " has no label for w.png");
  CHECK(error_with("x y.png b\nv.png 3\nw.png 1\n") ==
        where + ":2: 3 is not a class, expected a name or 0 to 2");
  CHECK(error_with("x y.png b\nv.png\nw.png 1\n") == where + ":2: expected a picture's name and its class");
  CHECK(error_with("v.png b\nv.png 0\nw.png 1\n") == where + ":2: v.png is listed twice");
  CHECK(error_with("x y.png b\nv.png 0\nw.png 0\n") ==
        "image-folder: " + flat + " has no picture of class a");
}

TEST_CASE("the digest depends on names, labels and sizes") {
  Fixture fixture;
  std::set<std::string> digests{read_image_folder(fixture.options, Split::train)->digest()};
  CHECK(digests.contains(read_image_folder(fixture.options, Split::train)->digest()));
  fs::rename(fixture.path("train", "a", "1.JPEG"), fixture.path("train", "a", "0.JPEG"));
  digests.insert(read_image_folder(fixture.options, Split::train)->digest());
  write_file(fixture.path("train", "b", "2.png"), png_of(draw(5, 5, 0)));
  digests.insert(read_image_folder(fixture.options, Split::train)->digest());
  CHECK(digests.size() == 3);
}

TEST_CASE("samples are functions of seed, epoch and index, with any number of workers") {
  if (!has_decoder()) return;
  Fixture fixture;
  fixture.options.augment = Augment::goyal;
  const auto set = fixture.open();
  CHECK(set->image_size().elements() == kSize * kSize * 3);
  const std::vector<float> first = all_pixels(set, 0);
  CHECK(first.size() == static_cast<size_t>(21 * kSize * kSize * 3));
  for (const int workers : {1, 3}) CHECK(all_pixels(fixture.open(), workers) == first);
  const auto pixels_in = [&](int64_t epoch) {
    std::vector<float> pixels(static_cast<size_t>(set->image_size().elements()));
    set->sample(2, {3, epoch}, pixels.data());
    return pixels;
  };
  CHECK(pixels_in(0) == pixels_in(0));
  CHECK(pixels_in(0) != pixels_in(1));
  fixture.options.augment = Augment::none;
  CHECK(all_pixels(fixture.open(), 1) != first);
}

TEST_CASE("fewer training images are spread over all classes") {
  if (!has_decoder()) return;
  Fixture fixture;
  fixture.options.train_images = 3;
  const auto set = fixture.open();
  std::vector<float> pixels(static_cast<size_t>(set->image_size().elements()));
  for (int32_t i = 0; i < 3; ++i) CHECK(set->sample(i, {}, pixels.data()) == i);
  CHECK(fixture.open(Split::test)->size() == 6);
  fixture.options.train_images = 7;
  CHECK(error_of([&] { fixture.open(); }) == "image-folder: 7 training images asked for, there are 6");
}

TEST_CASE("a bad picture ends the run, is skipped, or replaced by the next of its class") {
  if (!has_decoder()) return;
  Fixture fixture;
  const auto good = fixture.open();
  const std::string bad = fixture.path("train", "a", "2.png");
  write_text(bad, "no picture");
  CHECK(fixture.open()->size() == 6);
  CHECK(error_of([&] { pixels_of(*fixture.open(), 3); }) == bad + " is neither JPEG nor PNG");

  fixture.options.bad_images = BadImages::skip;
  const auto skipped = fixture.open();
  REQUIRE(skipped->size() == 5);
  CHECK(pixels_of(*skipped, 3) == pixels_of(*good, 4));
  REQUIRE(skipped->notes().size() == 1);
  CHECK(skipped->notes()[0].text == "1 bad picture in " + (fixture.root / "train") + " skipped");
  CHECK(skipped->notes()[0].lines == std::vector<std::string>{bad + " is neither JPEG nor PNG"});
  CHECK(skipped->digest() != good->digest());

  fixture.options.bad_images = BadImages::substitute;
  const auto replaced = fixture.open();
  REQUIRE(replaced->size() == 6);
  CHECK(pixels_of(*replaced, 3) == pixels_of(*good, 2));
  CHECK(pixels_of(*replaced, 4) == pixels_of(*good, 4));

  write_text(fixture.path("train", "a", "1.JPEG"), "");
  CHECK(error_of([&] { fixture.open(); }) ==
        "--bad-images substitute: no picture of class a in " + (fixture.root / "train") + " can be decoded");
}

TEST_CASE("a bad picture is replaced by the next good one of its class, cyclically") {
  if (!has_decoder()) return;
  Fixture fixture;
  write_file(fixture.path("train", "a", "3.png"), png_of(draw(31, 17, 3)));
  const auto good = fixture.open();  // class a has 2, 3 and 4
  fixture.options.bad_images = BadImages::substitute;
  write_text(fixture.path("train", "a", "2.png"), "no picture");
  CHECK(pixels_of(*fixture.open(), 3) == pixels_of(*good, 4));
  write_text(fixture.path("train", "a", "3.png"), "no picture");
  CHECK(pixels_of(*fixture.open(), 3) == pixels_of(*good, 2));
  CHECK(pixels_of(*fixture.open(), 4) == pixels_of(*good, 2));
}

TEST_CASE("entries that cannot be read are bad pictures") {
  if (!has_decoder()) return;
  Fixture fixture;
  fs::create_symlink("loop.png", fixture.path("train", "a", "loop.png"));
  fs::create_symlink("/dev/zero", fixture.path("train", "b", "endless.png"));
  fixture.options.bad_images = BadImages::skip;
  CHECK(fixture.open()->size() == 6);
  CHECK(fixture.open()->notes()[0].lines ==
        std::vector<std::string>{
            fixture.path("train", "a", "loop.png") + " cannot be opened: Too many levels of symbolic links",
            fixture.path("train", "b", "endless.png") + " is not a file"});
}

TEST_CASE("a picture file is prepared as evaluation prepares it") {
  if (!has_decoder()) return;
  Fixture fixture;
  const auto set = fixture.open(Split::test);
  std::vector<float> pixels(static_cast<size_t>(set->image_size().elements()));
  read_picture(fixture.options, fixture.path("val", "a", "2.png"), pixels.data());
  CHECK(pixels == pixels_of(*set, 3));
  CHECK(error_of([&] { read_picture(fixture.options, fixture.root / "none.png", pixels.data()); }) ==
        (fixture.root / "none.png") + " cannot be opened: No such file or directory");
  // The pictures of CIFAR and shapes already have the image's size.
  const Drawn drawn = draw(32, 32, 1);
  write_file(fixture.root / "small.png", png_of(drawn));
  DatasetOptions shapes;
  pixels.resize(32 * 32 * 3);
  read_picture(shapes, fixture.root / "small.png", pixels.data());
  for (size_t i = 0; i < pixels.size(); ++i)
    CHECK(pixels[i] == doctest::Approx((static_cast<double>(drawn.bytes[i]) - 127) / 52.6).epsilon(1e-5));
}
