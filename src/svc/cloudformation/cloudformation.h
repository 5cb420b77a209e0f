/* cloudformation.h: the CloudFormation room: templates into stacks of resources.
 *
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/Welcome.html
 *
 *   template.h      the template language (see there), apart from everything else
 *   types.h         resource types as data, and the steps that make, change and delete them
 *   request.c       what a request asks for: template, parameters, capabilities
 *   stack.c         rows: stacks, resources, events
 *   create.c        CreateStack, UpdateStack, DeleteStack…   changeset.c  change sets
 *   describe.c      what can be asked of stacks              inspect.c    …and of templates
 *   run.c           the job: one stack's operation from phase to phase
 *   resource.c      one resource: made, changed, deleted     output.c     outputs and exports
 *
 * Tables, owner ACCOUNT:
 *   cfn.stack      account, region, stack uuid              -> JSON
 *   cfn.name       account, region, name                    -> uuid of the stack that has it now
 *   cfn.template   account, region, uuid, "current"|"next"  -> template text
 *   cfn.resource   account, region, uuid, logical id        -> JSON
 *   cfn.event      account, region, uuid, number            -> JSON
 *   cfn.export     account, region, name                    -> JSON {stack, uuid, value}
 *   cfn.import     account, region, name, uuid              -> stack name
 *   cfn.changeset  account, region, uuid, name              -> JSON
 *
 * An operation on a stack is a job (cloudformation.run), written in the request's transaction. What
 * a resource is to be called is stored before it is made and each step is recorded after it, so a
 * run that a crash cut short goes on where it was. Where a service allots the id itself and knows
 * no client token, the step that was in flight may be done twice; the event says so.
 *
 * Calls to other rooms are made as the role given (RoleARN), else as the principal who asked,
 * looked up anew each time. */
#ifndef WARD_SVC_CLOUDFORMATION_H
#define WARD_SVC_CLOUDFORMATION_H

#include "api/api.h"

enum {
    STACKS_MAX = 2000, /* of an account in a Region, those deleted not counted */
    STACK_NAME_MAX = 128,
    STACK_TAGS_MAX = 50,
    STACK_LIST_PAGE = 100,
    STACK_EVENTS_PAGE = 100,
    STACK_BODY_MAX = 2 * 1024 * 1024, /* a form-encoded template may be three times its size */
    STACK_PARALLEL = 3,               /* operations at once */
    STACK_WAIT_MS = 250,              /* between looks at what is not ready yet */
    STACK_WAITS_MAX = 2400,
    CHANGE_SETS_MAX = 100,            /* of a stack */
    RESOURCE_PROPS_MAX = 1024 * 1024, /* resolved, as JSON */
    STACK_OUTPUTS_MAX = 1024 * 1024,
};

#define CFN_SERVICE "cloudformation.amazonaws.com"
#define CFN_T_STACK "cfn.stack"
#define CFN_T_NAME "cfn.name"
#define CFN_T_TEMPLATE "cfn.template"
#define CFN_T_RESOURCE "cfn.resource"
#define CFN_T_EVENT "cfn.event"
#define CFN_T_EXPORT "cfn.export"
#define CFN_T_IMPORT "cfn.import"
#define CFN_T_CHANGESET "cfn.changeset"

extern const struct room cloudformation_room;

#endif
