/* yaml.h: YAML 1.1 (libyaml) into the tree of json.h, as CloudFormation reads it.
 *
 * Plain scalars resolve as CloudFormation does: null, booleans (true/false, yes/no, on/off),
 * integers and floats without loss; anything that would not read back the same (012345678901,
 * 2012-10-17, 1_000, 0x10, 1.0, 1.10) stays a string. Keys are strings, spelled as they stand. The
 * short tags become their long form:
 *     !Ref X -> {"Ref": "X"}   !GetAtt A.B -> {"Fn::GetAtt": ["A","B"]}   !Sub, !Join, !If … ->
 *     {"Fn::…": …}   !Condition C -> {"Condition": "C"}
 * Any other local tag is an error, and so are the types of YAML that JSON lacks (!!binary,
 * !!timestamp, !!set …). Anchors and aliases work within YAML_ALIASES_MAX expansions, those within
 * an expansion included; merge keys (<<) are supported. Duplicate keys are an error. Subtrees that
 * aliases name are shared, not copied: change nothing below the root in place. Thread rule: one
 * thread at a time. */
#ifndef WARD_CORE_YAML_H
#define WARD_CORE_YAML_H

#include "json.h"

enum { YAML_DEPTH_MAX = 64, YAML_NODES_MAX = 200000, YAML_ALIASES_MAX = 1000 };

/* Errors: ERR_INVALID with "line L, column C", ERR_LIMIT. One document only. */
struct err *yaml_parse(struct arena *a, struct str text, struct jv **out) MUST_CHECK;

#endif
