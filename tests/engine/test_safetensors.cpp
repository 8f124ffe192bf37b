// The safetensors reader rejects every deviation from the format, and reads what the writer wrote.
#include "engine/safetensors.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "support/temporary_folder.h"

using namespace crescendo;

namespace {

// Returns the bytes of a file: the header's length, the header, the data.
std::string file_bytes(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

struct Reading {
  TemporaryFolder folder;
  std::string path = folder / "f";

  // Returns the reader's error message without the path; empty if it accepts the bytes.
  std::string of_bytes(const std::string& bytes) {
    write_text(path, bytes);
    const std::string message = error_of([&] { SafetensorsFile file(path); });
    if (message.empty()) return message;
    CHECK(message.starts_with(path + ": "));
    CHECK(message.find('\n') == std::string::npos);
    return message.substr(path.size() + 2);
  }
  std::string of(const std::string& header, size_t data_bytes) {
    return of_bytes(file_bytes(header, std::string(data_bytes, 'x')));
  }
};

std::string entry(const std::string& name, const std::string& shape, const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

}  // namespace

TEST_CASE("safetensors: what is written comes back") {
  const TemporaryFolder folder;
  const std::string path = folder / "f";
  const float floats[] = {1, -2.5f, 3, 0, 1e-30f, 6};
  const double doubles[] = {0.1, -0.25};
  const int64_t integers[] = {7};
  std::vector<StoredTensor> tensors = {{"b.weight", "F32", {2, 3}}, {"a", "F64", {2}}, {"count", "I64", {}}};
  tensors.push_back({"empty", "F32", {0, 4}});
  std::string bytes = safetensors_prefix(tensors, {{"note", "two\nlines and \"quotes\""}});
  CHECK(bytes.size() % 8 == 0);
  bytes.append(reinterpret_cast<const char*>(floats), sizeof floats);
  bytes.append(reinterpret_cast<const char*>(doubles), sizeof doubles);
  bytes.append(reinterpret_cast<const char*>(integers), sizeof integers);
  write_text(path, bytes);

  const SafetensorsFile file(path);
  CHECK(file.metadata() == std::map<std::string, std::string>{{"note", "two\nlines and \"quotes\""}});
  REQUIRE(file.tensors().size() == 4);
  CHECK(bytes.starts_with(file.prefix()));
  CHECK(file.find("nothing") == nullptr);
  const StoredTensor* b = file.find("b.weight");
  REQUIRE(b);
  CHECK(b->shape == std::vector<int64_t>{2, 3});
  CHECK(reals_from(*b, file.read(*b), path) == std::vector<real>(std::begin(floats), std::end(floats)));
  const StoredTensor* a = file.find("a");
  REQUIRE(a);
  CHECK(reals_from(*a, file.read(*a), path) == std::vector<real>(std::begin(doubles), std::end(doubles)));
  const StoredTensor* count = file.find("count");
  REQUIRE(count);
  CHECK(error_of([&] { reals_from(*count, file.read(*count), "here"); }) ==
        "here: holds I64, expected F32, F64, F16 or BF16");
}

TEST_CASE("safetensors: half precision is read, in both formats") {
  const auto read = [](const char* type, const std::vector<uint16_t>& stored) {
    const StoredTensor tensor{"a", type, {static_cast<int64_t>(stored.size())}};
    return reals_from(tensor, std::as_bytes(std::span(stored)), "here");
  };
  CHECK(read("F16", {0x3c00, 0xc000, 0x3555, 0x7bff, 0x0400, 0x0001, 0x83ff, 0x0000}) ==
        std::vector<real>{1, -2, 1365.0f / 4096, 65504, 0x1p-14f, 0x1p-24f, -1023 * 0x1p-24f, 0});
  CHECK(std::signbit(read("F16", {0x8000})[0]));
  CHECK(read("F16", {0x7c00, 0xfc00}) ==
        std::vector<real>{std::numeric_limits<real>::infinity(), -std::numeric_limits<real>::infinity()});
  CHECK(std::isnan(read("F16", {0x7c01})[0]));
  CHECK(read("BF16", {0x3f80, 0xc000, 0x3eab, 0x0001}) == std::vector<real>{1, -2, 171.0f / 512, 0x1p-133f});
}

TEST_CASE("safetensors: two tensors of one name are not written") {
  std::vector<StoredTensor> tensors = {{"a", "F32", {1}}, {"a", "F32", {1}}};
  CHECK(error_of([&] { safetensors_prefix(tensors, {}); }) == "safetensors: two tensors are called a");
}

TEST_CASE("safetensors: valid files of other writers are read") {
  Reading reading;
  CHECK(reading.of("{}", 0) == "");
  CHECK(reading.of("{" + entry("a", "[2]", "[0,8]") + "}   ", 8) == "");
  CHECK(reading.of("{" + entry("b", "[1]", "[4,8]") + "," + entry("a", "[]", "[0,4]") + "}", 8) == "");
  CHECK(reading.of("{" + entry("a", "[0]", "[0,0]") + "," + entry("b", "[7,0]", "[0,0]") + "}", 0) == "");
  CHECK(reading.of(R"({"__metadata__":{"format":"pt"}})", 0) == "");
}

TEST_CASE("safetensors: files too short, or shorter or longer than their header says") {
  Reading reading;
  CHECK(error_of([&] { SafetensorsFile(reading.path); }) == reading.path + ": no such file");
  CHECK(error_of([&] { SafetensorsFile(reading.folder.path()); }) == reading.folder.path() + ": not a file");
  CHECK(reading.of_bytes("1234567") == "header: file has 7 bytes, expected at least 8");
  const std::string huge("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10);
  CHECK(reading.of_bytes(huge) == "header: 9223372036854775807 bytes long by its length, expected at most 2");
  CHECK(reading.of("", 0) == "header: does not begin with {");
  CHECK(reading.of(" {}", 0) == "header: does not begin with {");
  const std::string header = "{" + entry("a", "[2]", "[0,8]") + "}";
  CHECK(reading.of(header, 7) == "tensor a: ends at byte 8 of the data, but there are 7");
  CHECK(reading.of(header, 9) == "data: 9 bytes, expected 8");
}

TEST_CASE("safetensors: a header above 100 MB is refused before it is read") {
  Reading reading;
  write_text(reading.path, file_bytes("{}", ""));
  const uint64_t length = 100'000'001;
  std::fstream file(reading.path, std::ios::in | std::ios::out | std::ios::binary);
  file.write(reinterpret_cast<const char*>(&length), 8);
  file.close();
  std::filesystem::resize_file(reading.path, 8 + length);  // a sparse file
  CHECK(error_of([&] { SafetensorsFile f(reading.path); }) ==
        reading.path + ": header: 100000001 bytes long by its length, expected at most 100000000");
}

TEST_CASE("safetensors: tensors must cover the data without gap or overlap") {
  Reading reading;
  const auto two = [](const std::string& a, const std::string& b) {
    return "{" + entry("a", "[1]", a) + "," + entry("b", "[1]", b) + "}";
  };
  CHECK(reading.of(two("[0,4]", "[4,8]"), 8) == "");
  CHECK(reading.of(two("[0,4]", "[0,4]"), 4) == "tensor b: begins at byte 0 of the data, expected 4");
  CHECK(reading.of(two("[0,4]", "[2,6]"), 6) == "tensor b: begins at byte 2 of the data, expected 4");
  CHECK(reading.of(two("[0,4]", "[5,9]"), 9) == "tensor b: begins at byte 5 of the data, expected 4");
  CHECK(reading.of(two("[4,8]", "[8,12]"), 12) == "tensor a: begins at byte 4 of the data, expected 0");
  CHECK(reading.of("{" + entry("a", "[1]", "[4,0]") + "}", 4) == "tensor a: begins at 4 but ends at 0");
  CHECK(reading.of("{" + entry("a", "[3]", "[0,8]") + "}", 8) ==
        "tensor a: has 8 bytes, expected 12 for F32 [3]");
}

TEST_CASE("safetensors: sizes that overflow are refused") {
  Reading reading;
  const auto shaped = [&](const std::string& shape) {
    return reading.of("{" + entry("a", shape, "[0,4]") + "}", 4);
  };
  CHECK(shaped("[4194305,4194305,211106198978564]").ends_with("is not a size that fits 64 bits"));
  CHECK(shaped("[9223372036854775807]").ends_with("is not a size that fits 64 bits"));
  CHECK(shaped("[9223372036854775808]") ==
        "tensor a: shape holds 9223372036854775808, which does not fit 63 bits");
  CHECK(shaped("[18446744073709551617]").starts_with("tensor a: unexpected the number"));
  CHECK(shaped("[-1]") == "tensor a: shape holds -1, expected no negative number");
  CHECK(shaped("[1.0]") == "tensor a: unexpected the number 1.0");
  CHECK(shaped("[1,1,1,1,1,1,1,1,1]") == "tensor a: shape has more than 8 numbers");
}

TEST_CASE("safetensors: headers of another structure") {
  Reading reading;
  const std::string a = entry("a", "[1]", "[0,4]");
  CHECK(reading.of("{" + a + "," + a + "}", 4) == "header: a is there twice");
  CHECK(reading.of(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4) ==
        "tensor a: dtype is there twice");
  CHECK(reading.of(R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4) ==
        "tensor a: unknown dtype F31");
  CHECK(reading.of(R"({"a":{"dtype":"F32","shape":[1]}})", 4) == "tensor a: data_offsets is missing");
  CHECK(reading.of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4) ==
        "tensor a: data_offsets has 1 numbers, expected 2");
  CHECK(reading.of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":"text"}})", 4) ==
        "tensor a: unexpected a string");
  CHECK(reading.of(R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4) ==
        "tensor a: unexpected a list");
  CHECK(reading.of(R"({"a":{"dtype":{},"shape":[1],"data_offsets":[0,4]}})", 4) ==
        "tensor a: unexpected an object");
  CHECK(reading.of(R"({"a":5})", 0) == "tensor a: unexpected a number");
  CHECK(reading.of(R"({"a":null})", 0) == "tensor a: unexpected null");
  CHECK(reading.of(R"({"__metadata__":{"a":1}})", 0) == "header: __metadata__: unexpected a number");
  CHECK(reading.of(R"({"__metadata__":{"a":"1","a":"2"}})", 0) == "header: __metadata__: a is there twice");
  CHECK(reading.of(R"({"__metadata__":{"a":{}}})", 0) == "header: __metadata__: unexpected an object");
  CHECK(reading.of(R"({"line\nbreak":null})", 0) == "tensor line\\nbreak: unexpected null");
  CHECK(reading.of("{\"a\":}", 0) == "header: not JSON at byte 13");
  CHECK(reading.of("{} x", 0) == "header: not JSON at byte 11");
  CHECK(reading.of("{\"\xff\":{}}", 0) == "header: not JSON at byte 10");
  CHECK(reading.of(std::string("{\"a\":") + std::string(100'000, '['), 0) == "tensor a: unexpected a list");
}

TEST_CASE("safetensors: a file that became shorter after it was opened") {
  Reading reading;
  CHECK(reading.of("{" + entry("a", "[2]", "[0,8]") + "}", 8) == "");
  const SafetensorsFile file(reading.path);
  std::filesystem::resize_file(reading.path, std::filesystem::file_size(reading.path) - 1);
  CHECK(error_of([&] { file.read(*file.find("a")); }) == reading.path + ": tensor a: cannot be read");
}
