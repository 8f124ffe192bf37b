#include <doctest/doctest.h>

#include "data/cifar.h"
#include "data/cifar_fixture.h"
#include "data/fetch.h"
#include "data/process.h"

namespace fs = std::filesystem;

namespace crescendo {
namespace {

// A small archive in the official layout, and a format with its checksum.
struct Archive {
  explicit Archive(const std::string& kind = "cifar10") : format(small_format(kind)) {
    write_fixture(format, source / format.folder);
    pack();
  }
  void pack() {
    const ProcessResult tar =
        run_process({"tar", "-czf", target / format.archive, "-C", source.path(), format.folder}, false);
    REQUIRE(tar.status == 0);
    format.md5 = file_md5(target / format.archive);
  }
  std::string fetch() {
    said.clear();
    return error_of(
        [&] { fetch_cifar(format, target.path(), [&](const std::string& line) { said += line + "\n"; }); });
  }
  // Only the archive remains.
  bool nothing_left() const {
    const auto entries = fs::directory_iterator(target.path());
    return std::distance(begin(entries), end(entries)) == 1;
  }

  TemporaryFolder source, target;
  CifarFormat format;
  std::string said;
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an archive that is already there is unpacked once") {
  for (const std::string kind : {"cifar10", "cifar100"}) {
    Archive archive(kind);
    CHECK(archive.fetch().empty());
    CHECK(contains(archive.said, archive.target.path()));
    CHECK(verify_cifar(archive.format, archive.target.path()).problems.empty());
    CHECK(archive.fetch().empty());
    CHECK(contains(archive.said, "already"));
    CHECK(std::distance(fs::directory_iterator(archive.target.path()), {}) == 2);  // archive and folder
  }
}

TEST_CASE("an archive with another checksum is rejected and left unchanged") {
  Archive archive;
  archive.format.md5 = cifar_format("cifar10").md5;
  const std::string error = archive.fetch();
  CHECK(contains(error, archive.format.archive + " has MD5 "));
  CHECK(contains(error, "expected c32a1d4ab5d03f1284b67883e8d87530"));
  CHECK(archive.nothing_left());
}

TEST_CASE("an invalid archive, or one with bad files, leaves nothing behind") {
  Archive broken;
  write_text(broken.target / broken.format.archive, "not an archive");
  broken.format.md5 = file_md5(broken.target / broken.format.archive);
  CHECK(contains(broken.fetch(), "cannot unpack"));
  CHECK(broken.nothing_left());

  Archive incomplete;
  fs::remove(incomplete.source / incomplete.format.folder + "/data_batch_3.bin");
  incomplete.pack();
  CHECK(contains(incomplete.fetch(), "data_batch_3.bin is missing"));
  CHECK(incomplete.nothing_left());
}

TEST_CASE("damaged files that are already there are reported, not replaced") {
  Archive archive;
  CHECK(archive.fetch().empty());
  const std::string file = archive.target / archive.format.folder + "/test_batch.bin";
  write_text(file, "x");
  const std::string error = archive.fetch();
  CHECK(contains(error, "test_batch.bin is short"));
  CHECK(contains(error, "remove "));
  CHECK(read_text(file) == "x");
}

TEST_CASE("a failed download gives one line and removes the folders made for it") {
  const TemporaryFolder folder;
  CifarFormat format = small_format("cifar10");
  format.archive = "\n";  // an address that curl rejects without using the network
  const std::string error = error_of([&] { fetch_cifar(format, folder / "a/b", [](const std::string&) {}); });
  CHECK(contains(error, "data fetch: cannot download"));
  CHECK(!fs::exists(folder / "a"));
}

TEST_CASE("MD5 of a file") {
  const TemporaryFolder folder;
  write_text(folder / "-n", "abc");  // RFC 1321
  CHECK(file_md5(folder / "-n") == "900150983cd24fb0d6963f7d28e17f72");
  write_text(folder / "back\\slash", "abc");
  CHECK(file_md5(folder / "back\\slash") == "900150983cd24fb0d6963f7d28e17f72");
  CHECK_THROWS_AS(file_md5(folder / "nothing"), std::invalid_argument);
}

TEST_CASE("programs get their arguments as they are, and their output and status come back") {
  const ProcessResult echo = run_process({"printf", "%s|", "a b", "$HOME;`x`", ""}, false);
  CHECK(echo.output == "a b|$HOME;`x`||");
  CHECK(echo.status == 0);
  CHECK(run_process({"false"}, false).status == 1);
  CHECK(run_process({"crescendo-no-such-program"}, true).status == 127);
  CHECK(run_process({"sh", "-c", "kill -9 $$"}, true).status == 137);
}

}  // namespace crescendo
