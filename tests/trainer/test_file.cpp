// Durable files under every fault at every call: the old file or the new one, never neither, never a half.
#include "trainer/store/file.h"

#include <doctest/doctest.h>

#include "support/faulty_files.h"
#include "support/temporary_folder.h"

using namespace crescendo;
using Fault = FaultyFiles::Fault;

namespace {

const std::string kOld = "the old contents", kNew = "the new contents, which are longer";

size_t entries_in(const std::string& folder) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

size_t calls_of_a_write() {
  const TemporaryFolder folder;
  FaultyFiles files;
  write_durably(folder / "file", kNew, files);
  return files.calls().size();
}

}  // namespace

TEST_CASE("a durable file is written, synced, closed, renamed, and its folder synced, in this order") {
  const TemporaryFolder folder;
  FaultyFiles files;
  write_durably(folder / "file", kNew, files);
  CHECK(files.calls() ==
        std::vector<std::string>{"open", "write", "fdatasync", "close", "rename", "open", "fsync", "close"});
  CHECK(read_text(folder / "file") == kNew);
  CHECK(entries_in(folder.path()) == 1);
}

TEST_CASE("a fault at any call leaves the old file or the new one, and no other") {
  const size_t calls = calls_of_a_write();
  for (const Fault fault : {Fault::once, Fault::forever}) {
    for (const int error : {ENOSPC, EDQUOT, EIO, EFBIG, EROFS, EACCES}) {
      for (size_t at = 1; at <= calls; ++at) {
        CAPTURE(at);
        const TemporaryFolder folder;
        write_text(folder / "file", kOld);
        FaultyFiles files(fault, at, error);
        const std::string message = error_of([&] { write_durably(folder / "file", kNew, files); });
        if (at < calls) {  // the last call closes the folder, after which nothing is missing
          CHECK(message.starts_with(folder.path()));
          CHECK(message.ends_with(std::generic_category().message(error)));
        }
        const bool renamed = at > 5;
        CHECK(read_text(folder / "file") == (renamed ? kNew : kOld));
        remove_temporaries(folder.path());
        if (fault == Fault::once) CHECK(files.calls().size() <= calls + 1);  // nothing is tried again
        CHECK(entries_in(folder.path()) == 1);
      }
    }
  }
}

TEST_CASE("a fault that passes leaves no temporary file") {
  for (size_t at = 1; at <= calls_of_a_write(); ++at) {
    const TemporaryFolder folder;
    write_text(folder / "file", kOld);
    FaultyFiles files(Fault::once, at);
    error_of([&] { write_durably(folder / "file", kNew, files); });
    CHECK(entries_in(folder.path()) == 1);
  }
}

TEST_CASE("a failed sync is not tried again") {
  const TemporaryFolder folder;
  FaultyFiles files(Fault::once, 3);
  CHECK_THROWS_AS(write_durably(folder / "file", kNew, files), FileError);
  CHECK(files.calls() == std::vector<std::string>{"open", "write", "fdatasync", "close", "unlink"});
}

TEST_CASE("interrupted calls and short writes go on") {
  for (const size_t at : {1, 2, 3, 4, 6, 7, 8}) {
    CAPTURE(at);
    const TemporaryFolder folder;
    FaultyFiles files(Fault::once, at, EINTR);
    write_durably(folder / "file", kNew, files);
    CHECK(read_text(folder / "file") == kNew);
  }
  const TemporaryFolder folder;
  FaultyFiles files(Fault::short_write, 1);
  write_durably(folder / "file", kNew, files);
  CHECK(read_text(folder / "file") == kNew);
}

TEST_CASE(
    "the end of the process at any call leaves the old file or the new one; its remains can be removed") {
  for (size_t at = 1; at <= calls_of_a_write(); ++at) {
    CAPTURE(at);
    const TemporaryFolder folder;
    write_text(folder / "file", kOld);
    FaultyFiles files(Fault::kill, at);
    CHECK_THROWS_AS(write_durably(folder / "file", kNew, files), FaultyFiles::Killed);
    CHECK(read_text(folder / "file") == (at > 5 ? kNew : kOld));
    remove_temporaries(folder.path());
    CHECK(entries_in(folder.path()) == 1);
  }
}

TEST_CASE("a file without commit leaves nothing") {
  const TemporaryFolder folder;
  { DurableFile(folder / "file").write(kNew.data(), kNew.size()); }
  CHECK(entries_in(folder.path()) == 0);
}

TEST_CASE("a file in a folder that is not there is refused by name") {
  const TemporaryFolder folder;
  const std::string path = folder / "nowhere/file";
  CHECK(error_of([&] { write_durably(path, kNew); }) == path + ": cannot write: No such file or directory");
}
