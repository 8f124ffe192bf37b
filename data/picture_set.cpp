#include "data/picture_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/parallel_ranges.h"
#include "base/xxh3.h"

namespace crescendo {
namespace {

// Returns the largest reduction that leaves the box `spare` times the image's width and height.
int reduction_for(const Box& box, const ImageSize& size, int64_t spare) {
  int reduction = 8;
  const auto enough = [&](double pixels, int64_t outputs) {
    return pixels >= static_cast<double>(reduction * spare * outputs);
  };
  while (reduction > 1 && !(enough(box.width, size.width) && enough(box.height, size.height))) reduction /= 2;
  return reduction;
}

// Convert a box or rectangle of the picture into pixels of its decoded and reduced part.
Box in_part(const Box& box, int reduction, const Rectangle& part) {
  return {box.left / reduction - static_cast<double>(part.left),
          box.top / reduction - static_cast<double>(part.top), box.width / reduction, box.height / reduction};
}

Rectangle in_part(const Rectangle& bounds, int reduction, const Rectangle& part) {
  const auto ceil = [&](int64_t pixels) { return (pixels + reduction - 1) / reduction; };
  const int64_t left = std::max<int64_t>(bounds.left / reduction - part.left, 0);
  const int64_t top = std::max<int64_t>(bounds.top / reduction - part.top, 0);
  const int64_t right = std::min(ceil(bounds.left + bounds.width) - part.left, part.width);
  const int64_t bottom = std::min(ceil(bounds.top + bounds.height) - part.top, part.height);
  return {left, top, right - left, bottom - top};
}

// Returns the pixels that the filter reads: the box and around it the filter's width, within the bounds.
Rectangle seen(const PictureCrop& crop, const ImageSize& size) {
  const double x = std::max(crop.box.width / static_cast<double>(size.width), 1.0) + 1;
  const double y = std::max(crop.box.height / static_cast<double>(size.height), 1.0) + 1;
  const Rectangle& bounds = crop.bounds;
  const int64_t left = std::max(bounds.left, static_cast<int64_t>(crop.box.left - x));
  const int64_t top = std::max(bounds.top, static_cast<int64_t>(crop.box.top - y));
  const int64_t right =
      std::min(bounds.left + bounds.width, static_cast<int64_t>(crop.box.left + crop.box.width + x));
  const int64_t bottom =
      std::min(bounds.top + bounds.height, static_cast<int64_t>(crop.box.top + crop.box.height + y));
  return {left, top, right - left, bottom - top};
}

PictureProblem problem_of(const PictureSource& source, int64_t index, std::vector<uint8_t>& buffer) {
  try {
    decode_record(source.read(index, buffer), true);
    return std::nullopt;
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

// Finds substitutes: the next good picture of the same class, cyclically.
class StandIns {
 public:
  StandIns(const PictureSource& source, const std::vector<PictureProblem>& problems)
      : source_(source), good_(source.class_names().size()) {
    for (int64_t i = 0; i < source.size(); ++i)
      if (!problems[static_cast<size_t>(i)]) good_[static_cast<size_t>(source.label(i))].push_back(i);
  }
  int64_t of(int64_t picture) const {
    const auto label = static_cast<size_t>(source_.label(picture));
    const std::vector<int64_t>& good = good_[label];
    require(!good.empty(), "--bad-images substitute: no picture of class ", source_.class_names()[label],
            " in ", source_.location(), " can be decoded");
    const auto next = std::upper_bound(good.begin(), good.end(), picture);
    return next == good.end() ? good.front() : *next;
  }

 private:
  const PictureSource& source_;
  std::vector<std::vector<int64_t>> good_;  // [classes], good pictures of each class
};

std::vector<int64_t> spread_evenly(const std::vector<int64_t>& all, int64_t count) {
  std::vector<int64_t> some;
  some.reserve(static_cast<size_t>(count));
  const auto total = static_cast<int64_t>(all.size());
  for (int64_t i = 0; i < count; ++i) some.push_back(all[static_cast<size_t>(i * total / count)]);
  return some;
}

DatasetNote note_of_bad(const PictureSource& source, const std::vector<PictureProblem>& problems,
                        const char* what_became) {
  DatasetNote note;
  for (int64_t i = 0; i < source.size(); ++i) {
    const PictureProblem& problem = problems[static_cast<size_t>(i)];
    if (problem) note.lines.push_back(source.path(i) + " " + *problem);
  }
  const size_t count = note.lines.size();
  note.text =
      fmt::format("{} bad picture{} in {} {}", count, count == 1 ? "" : "s", source.location(), what_became);
  return note;
}

void deal_with_bad(PictureChoice& choice, BadImages policy) {
  const PictureSource& all = *choice.source;
  const std::vector<PictureProblem> problems = check_pictures(all);
  const bool skip = policy == BadImages::skip;
  DatasetNote note = note_of_bad(all, problems, skip ? "skipped" : "replaced by others of their classes");
  if (note.lines.empty()) return;
  choice.notes.push_back(std::move(note));
  const auto bad = [&](int64_t picture) { return problems[static_cast<size_t>(picture)].has_value(); };
  const StandIns stand_ins(all, problems);
  if (skip) std::erase_if(choice.chosen, bad);
  for (int64_t& picture : choice.chosen)
    if (bad(picture)) picture = stand_ins.of(picture);
  require(!choice.chosen.empty(), "--bad-images skip: no picture in ", all.location(), " can be decoded");
}

}  // namespace

std::string digest_of(const PictureSource& source, std::span<const int64_t> pictures) {
  Xxh3 hash;
  for (const std::string& name : source.class_names()) hash.add_text(name);
  for (const int64_t picture : pictures) {
    hash.add_text(source.name(picture));
    hash.add(source.label(picture));
    hash.add(source.fingerprint(picture));
  }
  return hash.digest().hexadecimal();
}

std::string PictureSource::digest() const {
  std::vector<int64_t> all(static_cast<size_t>(size()));
  std::iota(all.begin(), all.end(), int64_t{0});
  return digest_of(*this, all);
}

DecodedPicture decode_record(const PictureRecord& record, bool strict) {
  DecodedPicture picture;
  if (record.raw) {
    picture.allocate({0, 0, record.width, record.height});
    std::copy(record.bytes.begin(), record.bytes.end(), picture.bytes.get());
    return picture;
  }
  const PictureHeader header = read_picture_header(record.bytes);
  const Rectangle whole{0, 0, header.upright_width(), header.upright_height()};
  return decode_picture(record.bytes, header, {.wanted = whole, .strict = strict});
}

std::vector<PictureProblem> check_pictures(const PictureSource& source) {
  std::vector<PictureProblem> problems(static_cast<size_t>(source.size()));
  if (source.needs_decoder()) require_decoder();
  parallel_ranges(source.size(), [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> buffer;
    for (int64_t i = begin; i < end; ++i) problems[static_cast<size_t>(i)] = problem_of(source, i, buffer);
  });
  return problems;
}

PictureChoice choose_pictures(std::shared_ptr<const PictureSource> source, const DatasetOptions& options,
                              Split split) {
  PictureChoice choice{.source = std::move(source), .chosen = {}, .notes = {}};
  choice.notes = choice.source->notes();
  choice.chosen.resize(static_cast<size_t>(choice.source->size()));
  std::iota(choice.chosen.begin(), choice.chosen.end(), int64_t{0});
  if (options.bad_images != BadImages::fail) deal_with_bad(choice, options.bad_images);
  const auto left = static_cast<int64_t>(choice.chosen.size());
  const int64_t wanted = split == Split::train && options.train_images > 0 ? options.train_images : left;
  require(wanted <= left, "image-folder: ", wanted, " training images asked for, there are ", left);
  if (wanted < left) choice.chosen = spread_evenly(choice.chosen, wanted);
  return choice;
}

PictureSet::PictureSet(PictureChoice choice, const CropRecipe& recipe, int64_t size, bool random)
    : choice_(std::move(choice)), recipe_(recipe), size_(size), random_(random) {
  if (choice_.source->needs_decoder()) require_decoder();
}

int32_t PictureSet::sample(int64_t index, const SampleKey& key, float* pixels) const {
  const int64_t picture = choice_.chosen[static_cast<size_t>(index)];
  std::vector<uint8_t> buffer;
  try {
    const auto crop = [&](int64_t width, int64_t height) {
      return random_ ? random_crop(recipe_, width, height, key, index)
                     : centre_crop(recipe_, width, height, size_);
    };
    write_picture(choice_.source->read(picture, buffer), crop, image_size(), recipe_.normalisation,
                  random_ ? kSpareInTraining : kSpareInEvaluation, pixels);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(join(choice_.source->path(picture), " ", error.what()));
  }
  return choice_.source->label(picture);
}

void write_picture(const PictureRecord& record, const ChooseCrop& choose, const ImageSize& size,
                   const Normalisation& normalisation, int64_t spare, float* pixels) {
  ResampleOptions options;
  options.size = size;
  options.normalisation = normalisation;
  const auto show = [&](const PictureCrop& crop, const PictureView& view, int reduction,
                        const Rectangle& part) {
    options.box = in_part(crop.box, reduction, part);
    options.bounds = in_part(crop.bounds, reduction, part);
    options.flip = crop.flip;
    options.colour = crop.colour;
    resample(view, options, pixels);
  };
  if (record.raw) {
    const PictureView view{record.bytes.data(), record.width, record.height};
    return show(choose(view.width, view.height), view, 1, {0, 0, view.width, view.height});
  }
  const PictureHeader header = read_picture_header(record.bytes);
  const PictureCrop crop = choose(header.upright_width(), header.upright_height());
  const int reduction = can_be_reduced(header) ? reduction_for(crop.box, size, spare) : 1;
  const DecodedPicture picture =
      decode_picture(record.bytes, header, {.wanted = seen(crop, size), .reduction = reduction});
  show(crop, picture.view(), reduction, picture.region);
}

}  // namespace crescendo
