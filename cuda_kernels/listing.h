// Lists of fields, from which Python makes its dtypes (otfsynth/kernels/structs.py): a struct that Python fills names its
// fields below itself, `OTF_FIELDS(Shell, (thickness)(ends)(means))`. Types and offsets are the compiler's. Only the unit
// that defines OTF_LISTING reads them, which includes <cstddef>, <cstring>, <type_traits> and <vector> beforehand, outside
// the namespace of the launcher.
#pragma once

#ifndef OTF_LISTING
#define OTF_FIELDS(Structure, fields)
#else
#include "portable.h"

namespace otfsynth {

// In words that Python understands: a type is a scalar's name, or that of a struct.
struct Field {
    const char* structure;
    const char* name;
    const char* type;
    long long offset;
    long long count;  // of an array; 0: none
    long long size;   // of the structure
};

using Fields = std::vector<Field>;

// Name of a type, and the fields of a struct and of all structs that it holds or points to. Incomplete where a struct
// has no OTF_FIELDS.
template <class Type>
struct Listed;

template <class Type, class = void>
struct IsListed : std::false_type {};
template <class Type>
struct IsListed<Type, std::void_t<decltype(Listed<Type>::name)>> : std::true_type {};

#define OTF_SCALAR(Type, text)                     \
    template <>                                    \
    struct Listed<Type> {                          \
        static constexpr const char* name = text;  \
        static void add(Fields&) {}                \
    };
OTF_SCALAR(float, "f32")
OTF_SCALAR(i32, "i32")
OTF_SCALAR(u32, "u32")
OTF_SCALAR(i64, "i64")

template <class Type>
struct Listed<Type*> {
    static constexpr const char* name = "pointer";
    static void add(Fields& found) {
        using Target = std::remove_const_t<Type>;
        if constexpr (IsListed<Target>::value) Listed<Target>::add(found);
    }
};

template <class Type, std::size_t length>
struct Listed<Type[length]> : Listed<Type> {};

template <class Type>
void add_field(Fields& found, Field field) {
    field.type = Listed<Type>::name;
    field.count = std::is_array<Type>::value ? static_cast<long long>(std::extent<Type>::value) : 0;
    found.push_back(field);
    Listed<Type>::add(found);
}

inline bool holds(const Fields& found, const char* structure) {
    for (const Field& field : found) {
        if (std::strcmp(field.structure, structure) == 0) return true;
    }
    return false;
}

}  // namespace otfsynth

// Two macros that name each other walk a list "(a)(b)(c)" of any length.
#define OTF_LIST_FIELD(field)                                                                                       \
    add_field<decltype(Self::field)>(                                                                               \
        found, {name, #field, nullptr, static_cast<long long>(offsetof(Self, field)), 0, sizeof(Self)});
#define OTF_LIST_A(field) OTF_LIST_FIELD(field) OTF_LIST_B
#define OTF_LIST_B(field) OTF_LIST_FIELD(field) OTF_LIST_A
#define OTF_LIST_A_END
#define OTF_LIST_B_END
#define OTF_LIST_JOIN(...) __VA_ARGS__##_END
#define OTF_LIST_STOP(...) OTF_LIST_JOIN(__VA_ARGS__)

#define OTF_FIELDS(Structure, fields)                  \
    template <>                                        \
    struct Listed<Structure> {                         \
        using Self = Structure;                        \
        static constexpr const char* name = #Structure; \
        static void add(Fields& found) {               \
            if (holds(found, name)) return;            \
            OTF_LIST_STOP(OTF_LIST_A fields)           \
        }                                              \
    };
#endif
