/* AWS::EC2::*, what stands in the network: security groups, addresses, instances. */
#include "types.h"

#define TAG_STEPS(id)                                                                              \
    {.on = ON_GONE, .each = "Tags", .key = "Key", .room = "ec2", .op = "DeleteTags",               \
     .in = "{\"Resources\":[\"" id "\"],\"Tags\":[{\"Key\":\"$e.Key\"}]}"},                        \
    {.on = ON_UPDATE, .when = "Tags", .room = "ec2", .op = "CreateTags",                           \
     .in = "{\"Resources\":[\"" id "\"],\"Tags\":\"$p.Tags\"}"}

/* A rule of a security group from where its members stand: "$e." or "$p.". */
#define RULE_TEXT(from) "\"Description\":\"" from "Description\""
#define PERMISSION(from, peer)                                                                     \
    "\"IpPermissions\":[{\"IpProtocol\":\"" from "IpProtocol\","                                   \
    "\"FromPort\":\"" from "FromPort\",\"ToPort\":\"" from "ToPort\","                             \
    "\"IpRanges\":[{\"CidrIp!\":\"" from "CidrIp\"," RULE_TEXT(from) "}],"                         \
    "\"Ipv6Ranges\":[{\"CidrIpv6!\":\"" from "CidrIpv6\"," RULE_TEXT(from) "}],"                   \
    "\"PrefixListIds\":[{\"PrefixListId!\":\"" from peer "PrefixListId\"," RULE_TEXT(from) "}],"   \
    "\"UserIdGroupPairs\":[{\"GroupId!\":\"" from peer "SecurityGroupId\"," RULE_TEXT(from)        \
    "}]}]"

static const struct prop group_props[] = {
    {"GroupDescription", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"GroupName", P_STR, P_REPLACE, NULL},
    {"SecurityGroupEgress", P_LIST, 0, NULL,
     "CidrIp CidrIpv6 Description DestinationPrefixListId DestinationSecurityGroupId FromPort "
     "IpProtocol ToPort"},
    {"SecurityGroupIngress", P_LIST, 0, NULL,
     "CidrIp CidrIpv6 Description FromPort IpProtocol SourcePrefixListId SourceSecurityGroupId "
     "ToPort"},
    {"Tags", P_TAGS, 0, NULL},
    {"VpcId", P_STR, P_REPLACE, NULL},
    {0},
};

#define ANYWHERE                                                                                   \
    "{\"GroupId\":\"$id\",\"IpPermissions\":[{\"IpProtocol\":\"-1\",\"IpRanges\":"                 \
    "[{\"CidrIp\":\"0.0.0.0/0\"}]}]}"

static const struct step group_steps[] = {
    {.on = ON_PROBE, .room = "ec2", .op = "DescribeSecurityGroups",
     .in = "{\"Filters\":[{\"Name\":\"group-name\",\"Values\":[\"$name\"]},"
           "{\"Name\":\"vpc-id\",\"Values!\":[\"$p.VpcId\"]}]}",
     .save = "SecurityGroups.0.GroupId=Found", .ignore = "*"},
    {.on = ON_CREATE, .room = "ec2", .op = "CreateSecurityGroup",
     .in = "{\"GroupName\":\"$name\",\"Description\":\"$p.GroupDescription\","
           "\"VpcId\":\"$p.VpcId\",\"TagSpecifications\":[{\"ResourceType\":\"security-group\","
           "\"Tags!\":\"$p.Tags\"}]}",
     .save = "GroupId=@id", .exists = "InvalidGroup.Duplicate"},
    {.on = ON_ADOPT, .room = "ec2", .op = "DescribeSecurityGroups",
     .in = "{\"Filters\":[{\"Name\":\"group-name\",\"Values\":[\"$name\"]},"
           "{\"Name\":\"vpc-id\",\"Values!\":[\"$p.VpcId\"]}]}",
     .save = "SecurityGroups.0.GroupId=@id"},
    /* A group that names its ways out does not keep the one that every new group has. */
    {.on = ON_CREATE | ON_UPDATE, .when = "SecurityGroupEgress", .room = "ec2",
     .op = "RevokeSecurityGroupEgress", .in = ANYWHERE,
     .ignore = "InvalidPermission.NotFound"},
    {.on = ON_GONE, .each = "SecurityGroupEgress", .room = "ec2",
     .op = "RevokeSecurityGroupEgress",
     .in = "{\"GroupId\":\"$id\"," PERMISSION("$e.", "Destination") "}",
     .ignore = "InvalidPermission.NotFound"},
    {.on = ON_CREATE | ON_UPDATE, .each = "SecurityGroupEgress", .room = "ec2",
     .op = "AuthorizeSecurityGroupEgress",
     .in = "{\"GroupId\":\"$id\"," PERMISSION("$e.", "Destination") "}",
     .ignore = "InvalidPermission.Duplicate"},
    {.on = ON_GONE, .each = "SecurityGroupIngress", .room = "ec2",
     .op = "RevokeSecurityGroupIngress",
     .in = "{\"GroupId\":\"$id\"," PERMISSION("$e.", "Source") "}",
     .ignore = "InvalidPermission.NotFound"},
    {.on = ON_CREATE | ON_UPDATE, .each = "SecurityGroupIngress", .room = "ec2",
     .op = "AuthorizeSecurityGroupIngress",
     .in = "{\"GroupId\":\"$id\"," PERMISSION("$e.", "Source") "}",
     .ignore = "InvalidPermission.Duplicate"},
    TAG_STEPS("$id"),
    {.on = ON_DELETE, .room = "ec2", .op = "DeleteSecurityGroup", .in = "{\"GroupId\":\"$id\"}",
     .ignore = "InvalidGroup.NotFound"},
    {0},
};

static const struct attribute group_attributes[] = {
    {"GroupId", "$id"}, {"Id", "$id"}, {"VpcId", "$p.VpcId"}, {0}};

static const struct rtype group = {.name = "AWS::EC2::SecurityGroup", .props = group_props,
                                   .steps = group_steps, .attributes = group_attributes,
                                   .name_prop = "GroupName", .name_style = NAME_ANY,
                                   .name_max = 255};

/* The description is no part of what tells rules apart: a rule with another one takes its place. */
#define RULE_ANEW(way, peer)                                                                       \
    {.on = ON_UPDATE | ON_GONE, .when = "Description", .room = "ec2",                              \
     .op = "RevokeSecurityGroup" way,                                                              \
     .in = "{\"GroupId\":\"$p.GroupId\"," PERMISSION("$p.", peer) "}",                             \
     .ignore = "InvalidPermission.NotFound"},                                                      \
    {.on = ON_UPDATE | ON_GONE, .when = "Description", .room = "ec2",                              \
     .op = "AuthorizeSecurityGroup" way,                                                           \
     .in = "{\"GroupId\":\"$p.GroupId\"," PERMISSION("$p.", peer) "}",                             \
     .ignore = "InvalidPermission.Duplicate"}

static const struct prop ingress_props[] = {
    {"CidrIp", P_STR, P_REPLACE, NULL},
    {"CidrIpv6", P_STR, P_REPLACE, NULL},
    {"Description", P_STR, 0, NULL},
    {"FromPort", P_INT, P_REPLACE, NULL},
    {"GroupId", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"IpProtocol", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"SourcePrefixListId", P_STR, P_REPLACE, NULL},
    {"SourceSecurityGroupId", P_STR, P_REPLACE, NULL},
    {"ToPort", P_INT, P_REPLACE, NULL},
    {0},
};

static const struct step ingress_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "AuthorizeSecurityGroupIngress",
     .in = "{\"GroupId\":\"$p.GroupId\"," PERMISSION("$p.", "Source") "}",
     .exists = "InvalidPermission.Duplicate"},
    RULE_ANEW("Ingress", "Source"),
    {.on = ON_DELETE, .room = "ec2", .op = "RevokeSecurityGroupIngress",
     .in = "{\"GroupId\":\"$p.GroupId\"," PERMISSION("$p.", "Source") "}",
     .ignore = "InvalidPermission.NotFound InvalidGroup.NotFound"},
    {0},
};

static const struct attribute rule_attributes[] = {{"Id", "$id"}, {0}};

static const struct rtype ingress = {.name = "AWS::EC2::SecurityGroupIngress",
                                     .props = ingress_props, .steps = ingress_steps,
                                     .attributes = rule_attributes, .name_style = NAME_ANY,
                                     .name_max = 128};

static const struct prop egress_props[] = {
    {"CidrIp", P_STR, P_REPLACE, NULL},
    {"CidrIpv6", P_STR, P_REPLACE, NULL},
    {"Description", P_STR, 0, NULL},
    {"DestinationPrefixListId", P_STR, P_REPLACE, NULL},
    {"DestinationSecurityGroupId", P_STR, P_REPLACE, NULL},
    {"FromPort", P_INT, P_REPLACE, NULL},
    {"GroupId", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"IpProtocol", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"ToPort", P_INT, P_REPLACE, NULL},
    {0},
};

static const struct step egress_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "AuthorizeSecurityGroupEgress",
     .in = "{\"GroupId\":\"$p.GroupId\"," PERMISSION("$p.", "Destination") "}",
     .exists = "InvalidPermission.Duplicate"},
    RULE_ANEW("Egress", "Destination"),
    {.on = ON_DELETE, .room = "ec2", .op = "RevokeSecurityGroupEgress",
     .in = "{\"GroupId\":\"$p.GroupId\"," PERMISSION("$p.", "Destination") "}",
     .ignore = "InvalidPermission.NotFound InvalidGroup.NotFound"},
    {0},
};

static const struct rtype egress = {.name = "AWS::EC2::SecurityGroupEgress",
                                    .props = egress_props, .steps = egress_steps,
                                    .attributes = rule_attributes, .name_style = NAME_ANY,
                                    .name_max = 128};

/* -- addresses --------------------------------------------------------------------------------- */

static const struct prop eip_props[] = {
    {"Domain", P_STR, P_REPLACE, NULL},
    {"InstanceId", P_STR, 0, NULL},
    {"Tags", P_TAGS, 0, NULL},
    {0},
};

static const struct step eip_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "AllocateAddress",
     .in = "{\"Domain\":\"$p.Domain|vpc\",\"TagSpecifications\":[{\"ResourceType\":"
           "\"elastic-ip\",\"Tags!\":\"$p.Tags\"}]}",
     .save = "PublicIp=@id;AllocationId=AllocationId"},
    {.on = ON_CREATE | ON_UPDATE, .when = "InstanceId", .room = "ec2", .op = "AssociateAddress",
     .in = "{\"AllocationId\":\"$a.AllocationId\",\"InstanceId\":\"$p.InstanceId\","
           "\"AllowReassociation\":true}",
     .save = "AssociationId=AssociationId"},
    {.on = ON_GONE | ON_DELETE, .when = "InstanceId", .test = "@AssociationId", .room = "ec2",
     .op = "DisassociateAddress", .in = "{\"AssociationId\":\"$a.AssociationId\"}",
     .ignore = "InvalidAssociationID.NotFound"},
    TAG_STEPS("$a.AllocationId"),
    {.on = ON_DELETE, .room = "ec2", .op = "ReleaseAddress",
     .in = "{\"AllocationId\":\"$a.AllocationId\"}",
     .ignore = "InvalidAllocationID.NotFound"},
    {0},
};

static const struct attribute eip_attributes[] = {
    {"AllocationId", "$a.AllocationId"}, {"PublicIp", "$id"}, {0}};

static const struct rtype eip = {.name = "AWS::EC2::EIP", .props = eip_props, .steps = eip_steps,
                                 .attributes = eip_attributes};

static const struct prop eip_association_props[] = {
    {"AllocationId", P_STR, P_REPLACE, NULL},
    {"InstanceId", P_STR, P_REPLACE, NULL},
    {"NetworkInterfaceId", P_STR, P_REPLACE, NULL},
    {"PrivateIpAddress", P_STR, P_REPLACE, NULL},
    {0},
};

static const struct step eip_association_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "AssociateAddress",
     .in = "{\"AllocationId\":\"$p.AllocationId\",\"InstanceId\":\"$p.InstanceId\","
           "\"NetworkInterfaceId\":\"$p.NetworkInterfaceId\","
           "\"PrivateIpAddress\":\"$p.PrivateIpAddress\"}",
     .save = "AssociationId=@id"},
    {.on = ON_DELETE, .room = "ec2", .op = "DisassociateAddress",
     .in = "{\"AssociationId\":\"$id\"}", .ignore = "InvalidAssociationID.NotFound"},
    {0},
};

static const struct rtype eip_association = {.name = "AWS::EC2::EIPAssociation",
                                             .props = eip_association_props,
                                             .steps = eip_association_steps,
                                             .attributes = rule_attributes};

/* -- instances --------------------------------------------------------------------------------- */

static const struct prop instance_props[] = {
    {"AvailabilityZone", P_STR, P_REPLACE, NULL},
    {"BlockDeviceMappings", P_LIST, P_REPLACE, NULL},
    {"DisableApiTermination", P_BOOL, 0, NULL},
    {"EbsOptimized", P_BOOL, P_REPLACE, NULL},
    {"IamInstanceProfile", P_STR, P_REPLACE, NULL},
    {"ImageId", P_STR, P_REPLACE, NULL},
    {"InstanceInitiatedShutdownBehavior", P_STR, P_REPLACE, NULL},
    {"InstanceType", P_STR, 0, NULL},
    {"KeyName", P_STR, P_REPLACE, NULL},
    {"MetadataOptions", P_OBJ, P_REPLACE, NULL},
    {"Monitoring", P_BOOL, P_REPLACE, NULL},
    {"NetworkInterfaces", P_LIST, P_REPLACE, "GroupSet=Groups"},
    {"PrivateIpAddress", P_STR, P_REPLACE, NULL},
    {"SecurityGroupIds", P_LIST, 0, NULL},
    {"SecurityGroups", P_LIST, P_REPLACE, NULL},
    {"SubnetId", P_STR, P_REPLACE, NULL},
    {"Tags", P_TAGS, 0, NULL},
    {"Tenancy", P_STR, P_REPLACE, NULL},
    {"UserData", P_STR, 0, NULL},
    {0},
};

#define STOPPED_FOR "InstanceType UserData"
#define INSTANCE_SAVE                                                                              \
    "Reservations.0.Instances.0.PrivateIpAddress=PrivateIp;"                                       \
    "Reservations.0.Instances.0.PublicIpAddress=PublicIp;"                                         \
    "Reservations.0.Instances.0.PrivateDnsName=PrivateDnsName;"                                    \
    "Reservations.0.Instances.0.PublicDnsName=PublicDnsName;"                                      \
    "Reservations.0.Instances.0.Placement.AvailabilityZone=AvailabilityZone"

static const struct step instance_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "RunInstances",
     .in = "{\"MinCount\":1,\"MaxCount\":1,\"ClientToken\":\"$token\","
           "\"ImageId\":\"$p.ImageId\",\"InstanceType\":\"$p.InstanceType\","
           "\"KeyName\":\"$p.KeyName\",\"SubnetId\":\"$p.SubnetId\","
           "\"SecurityGroupIds\":\"$p.SecurityGroupIds\","
           "\"SecurityGroups\":\"$p.SecurityGroups\",\"UserData\":\"$p.UserData\","
           "\"IamInstanceProfile\":{\"Name\":\"$p.IamInstanceProfile\"},"
           "\"Placement\":{\"AvailabilityZone\":\"$p.AvailabilityZone\","
           "\"Tenancy\":\"$p.Tenancy\"},"
           "\"BlockDeviceMappings\":\"$p.BlockDeviceMappings\","
           "\"DisableApiTermination\":\"$p.DisableApiTermination\","
           "\"EbsOptimized\":\"$p.EbsOptimized\","
           "\"InstanceInitiatedShutdownBehavior\":\"$p.InstanceInitiatedShutdownBehavior\","
           "\"MetadataOptions\":\"$p.MetadataOptions\","
           "\"Monitoring\":{\"Enabled\":\"$p.Monitoring\"},"
           "\"NetworkInterfaces\":\"$p.NetworkInterfaces\","
           "\"PrivateIpAddress\":\"$p.PrivateIpAddress\","
           "\"TagSpecifications\":[{\"ResourceType\":\"instance\",\"Tags!\":\"$p.Tags\"}]}",
     .save = "Instances.0.InstanceId=@id"},
    {.on = ON_CREATE, .room = "ec2", .op = "DescribeInstances",
     .in = "{\"InstanceIds\":[\"$id\"]}",
     .save = INSTANCE_SAVE, .until = "Reservations.0.Instances.0.State.Name=running"},
    /* Some changes need a machine that stands still. */
    {.on = ON_UPDATE | ON_GONE, .when = STOPPED_FOR, .room = "ec2", .op = "StopInstances",
     .in = "{\"InstanceIds\":[\"$id\"]}"},
    {.on = ON_UPDATE | ON_GONE, .when = STOPPED_FOR, .room = "ec2", .op = "DescribeInstances",
     .in = "{\"InstanceIds\":[\"$id\"]}",
     .until = "Reservations.0.Instances.0.State.Name=stopped"},
    {.on = ON_UPDATE | ON_GONE, .when = "InstanceType", .room = "ec2",
     .op = "ModifyInstanceAttribute",
     .in = "{\"InstanceId\":\"$id\",\"InstanceType\":{\"Value\":\"$p.InstanceType|m1.small\"}}"},
    {.on = ON_UPDATE | ON_GONE, .when = "UserData", .room = "ec2",
     .op = "ModifyInstanceAttribute",
     .in = "{\"InstanceId\":\"$id\",\"UserData\":{\"Value\":\"$p.UserData|\"}}"},
    {.on = ON_UPDATE | ON_GONE, .when = STOPPED_FOR, .room = "ec2", .op = "StartInstances",
     .in = "{\"InstanceIds\":[\"$id\"]}"},
    {.on = ON_UPDATE | ON_GONE, .when = STOPPED_FOR, .room = "ec2", .op = "DescribeInstances",
     .in = "{\"InstanceIds\":[\"$id\"]}", .save = INSTANCE_SAVE,
     .until = "Reservations.0.Instances.0.State.Name=running"},
    {.on = ON_UPDATE, .when = "SecurityGroupIds", .room = "ec2", .op = "ModifyInstanceAttribute",
     .in = "{\"InstanceId\":\"$id\",\"Groups\":\"$p.SecurityGroupIds\"}"},
    {.on = ON_UPDATE | ON_GONE, .when = "DisableApiTermination", .room = "ec2",
     .op = "ModifyInstanceAttribute",
     .in = "{\"InstanceId\":\"$id\",\"DisableApiTermination\":"
           "{\"Value\":\"$p.DisableApiTermination|false\"}}"},
    TAG_STEPS("$id"),
    {.on = ON_DELETE, .room = "ec2", .op = "TerminateInstances",
     .in = "{\"InstanceIds\":[\"$id\"]}", .ignore = "InvalidInstanceID.NotFound"},
    {.on = ON_DELETE, .room = "ec2", .op = "DescribeInstances",
     .in = "{\"InstanceIds\":[\"$id\"]}", .ignore = "InvalidInstanceID.NotFound",
     .until = "Reservations.0.Instances.0.State.Name=terminated"},
    {0},
};

static const struct attribute instance_attributes[] = {
    {"InstanceId", "$id"},
    {"AvailabilityZone", "$a.AvailabilityZone"},
    {"PrivateDnsName", "$a.PrivateDnsName"},
    {"PublicDnsName", "$a.PublicDnsName"},
    {"PrivateIp", "$a.PrivateIp"},
    {"PublicIp", "$a.PublicIp"},
    {0},
};

static const struct rtype instance = {.name = "AWS::EC2::Instance", .props = instance_props,
                                      .steps = instance_steps, .attributes = instance_attributes};

const struct rtype *const types_instance[] = {&group, &ingress, &egress, &eip, &eip_association,
                                              &instance, NULL};
