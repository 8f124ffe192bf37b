#include "trainer/options/toml.h"

#include <algorithm>
#include <cctype>

#include "base/check.h"

namespace crescendo {

namespace {

constexpr std::string_view kEscapes = "\"\\nrtbf";
constexpr std::string_view kEscaped = "\"\\\n\r\t\b\f";

class Reader {
 public:
  Reader(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  std::vector<TomlEntry> entries() {
    std::vector<TomlEntry> entries;
    for (skip_lines(); !at_end(); skip_lines()) {
      TomlEntry entry = this->entry();
      for (const TomlEntry& earlier : entries)
        expect(earlier.key != entry.key, entry.key, " was given before, in line ", earlier.line);
      entries.push_back(std::move(entry));
    }
    return entries;
  }

 private:
  template <class... Parts>
  void expect(bool condition, const Parts&... parts) const {
    require(condition, name_, ":", line_, ": ", parts...);
  }

  bool at_end() const { return position_ == text_.size(); }
  char peek() const { return at_end() ? '\n' : text_[position_]; }
  char take() {
    const char letter = peek();
    if (!at_end()) ++position_;
    if (letter == '\n') ++line_;
    return letter;
  }

  void skip_blanks() {
    while (!at_end() && (peek() == ' ' || peek() == '\t' || peek() == '\r')) take();
    if (peek() == '#') {
      while (peek() != '\n') take();
    }
  }

  void skip_lines() {
    for (skip_blanks(); !at_end() && peek() == '\n'; skip_blanks()) take();
  }

  TomlEntry entry() {
    expect(peek() != '[', "found a table, expected every key at the top level");
    TomlEntry entry{.key = word(), .value = "", .line = line_};
    expect(!entry.key.empty(), "found '", std::string(1, peek()), "', expected key = value");
    skip_blanks();
    expect(peek() == '=', "expected = after ", entry.key);
    take();
    skip_blanks();
    entry.value = peek() == '[' ? array() : scalar();
    skip_blanks();
    expect(peek() == '\n', "found more text after the value of ", entry.key);
    return entry;
  }

  // Reads bare letters, digits and signs: a key, a number, true or false.
  std::string word() {
    std::string word;
    const auto belongs = [](char letter) {
      return std::isalnum(static_cast<unsigned char>(letter)) != 0 ||
             std::string_view("_-+.").find(letter) != std::string_view::npos;
    };
    while (!at_end() && belongs(peek())) word += take();
    return word;
  }

  std::string scalar() {
    if (peek() == '"' || peek() == '\'') return quoted(take());
    std::string value = word();
    expect(!value.empty(), "expected a value: a number, true, false, or a string in quotes");
    const bool number = value.find_first_of("0123456789") != std::string::npos &&
                        value.find_first_not_of("0123456789_+-.eE") == std::string::npos;
    expect(number || value == "true" || value == "false" || value.ends_with("inf") || value.ends_with("nan"),
           "found ", value, ", expected quotes around a string");
    std::erase(value, '_');
    return value;
  }

  std::string quoted(char quote) {
    std::string value;
    while (peek() != quote) {
      expect(peek() != '\n', "a string has no closing quote");
      const char letter = take();
      value += quote == '"' && letter == '\\' ? escaped() : letter;
    }
    take();
    return value;
  }

  char escaped() {
    const char letter = take();
    const size_t which = kEscapes.find(letter);
    expect(which != std::string_view::npos, "found \\", std::string(1, letter),
           " in a string, expected one of ", "\\\" \\\\ \\n \\r \\t \\b \\f");
    return kEscaped[which];
  }

  std::string array() {
    take();
    std::string values;
    for (skip_lines(); peek() != ']'; skip_lines()) {
      expect(!at_end(), "an array has no closing ]");
      if (!values.empty()) values += ',';
      values += scalar();
      skip_lines();
      expect(peek() == ',' || peek() == ']', "expected , or ] in an array");
      if (peek() == ',') take();
    }
    take();
    return values;
  }

  std::string_view text_;
  std::string name_;
  size_t position_ = 0;
  int line_ = 1;
};

}  // namespace

std::vector<TomlEntry> read_toml(std::string_view text, const std::string& name) {
  return Reader(text, name).entries();
}

std::string toml_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char letter : text) {
    const size_t which = kEscaped.find(letter);
    if (which == std::string_view::npos)
      quoted += letter;
    else
      quoted += {'\\', kEscapes[which]};
  }
  return quoted + '"';
}

}  // namespace crescendo
