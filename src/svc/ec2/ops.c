/* The rows of EC2:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
 *
 * `record_in` is also the list of the members that are built: begin.c refuses any other with
 * NotImplemented. What a policy must allow stands in access.c. */
#include "room.h"

#define NEED(op)                                                                                   \
    (const struct need[])                                                                          \
    {                                                                                              \
        {"ec2:" #op, NULL, ec2_target}, {"ec2:CreateTags", ec2_has_tags, ec2_target_tags}, {0}     \
    }
static const struct need need_run[] = {
    {"ec2:RunInstances", NULL, ec2_target},
    {"ec2:CreateTags", ec2_has_tags, ec2_target_tags},
    {"iam:PassRole", ec2_has_profile, ec2_target_passed_role},
    {0},
};

/* Every EC2 event is a management event. */
#define READ_BY(op, fn, in)                                                                        \
    {.name = #op, .handler = fn, .effect = OP_READ, .audit = AUDIT_MANAGEMENT, .needs = NEED(op),  \
     .record_in = in}
#define DESCRIBE(op, in) READ_BY(op, ec2_describe_op, in)
#define READ(op, in) READ_BY(op, ec2_##op##_op, in)
#define WRITE_BY(op, n, in, result)                                                                \
    {.name = #op, .handler = ec2_##op##_op, .effect = OP_WRITE, .audit = AUDIT_MANAGEMENT,         \
     .needs = n, .record_in = in, .record_out = result}
#define WRITE(op, in, result) WRITE_BY(op, NEED(op), in, result)

static const struct op_row rows[] = {
    WRITE(CreateVpc, "CidrBlock InstanceTenancy TagSpecifications", "*"),
    WRITE(DeleteVpc, "VpcId", NULL),
    DESCRIBE(DescribeVpcs, "VpcIds Filters MaxResults"),
    WRITE(ModifyVpcAttribute, "VpcId EnableDnsSupport EnableDnsHostnames", NULL),
    READ(DescribeVpcAttribute, "VpcId Attribute"),
    WRITE(AssociateDhcpOptions, "VpcId DhcpOptionsId", NULL),
    WRITE(CreateSubnet, "VpcId CidrBlock AvailabilityZone AvailabilityZoneId TagSpecifications",
          "*"),
    WRITE(DeleteSubnet, "SubnetId", NULL),
    DESCRIBE(DescribeSubnets, "SubnetIds Filters MaxResults"),
    WRITE(ModifySubnetAttribute, "SubnetId MapPublicIpOnLaunch PrivateDnsHostnameTypeOnLaunch "
          "EnableResourceNameDnsARecordOnLaunch", NULL),
    WRITE(CreateInternetGateway, "TagSpecifications", "*"),
    WRITE(AttachInternetGateway, "InternetGatewayId VpcId", NULL),
    WRITE(DetachInternetGateway, "InternetGatewayId VpcId", NULL),
    WRITE(DeleteInternetGateway, "InternetGatewayId", NULL),
    DESCRIBE(DescribeInternetGateways, "InternetGatewayIds Filters MaxResults"),
    WRITE(CreateRouteTable, "VpcId TagSpecifications ClientToken", "*"),
    WRITE(DeleteRouteTable, "RouteTableId", NULL),
    DESCRIBE(DescribeRouteTables, "RouteTableIds Filters MaxResults"),
    WRITE(CreateRoute, "RouteTableId DestinationCidrBlock DestinationIpv6CidrBlock GatewayId "
          "InstanceId NetworkInterfaceId", "*"),
    WRITE(ReplaceRoute, "RouteTableId DestinationCidrBlock DestinationIpv6CidrBlock GatewayId "
          "InstanceId NetworkInterfaceId", NULL),
    WRITE(DeleteRoute, "RouteTableId DestinationCidrBlock DestinationIpv6CidrBlock", NULL),
    WRITE(AssociateRouteTable, "RouteTableId SubnetId", "*"),
    WRITE(DisassociateRouteTable, "AssociationId", NULL),
    WRITE(ReplaceRouteTableAssociation, "AssociationId RouteTableId", "*"),
    WRITE(CreateNetworkAcl, "VpcId TagSpecifications ClientToken", "*"),
    WRITE(DeleteNetworkAcl, "NetworkAclId", NULL),
    DESCRIBE(DescribeNetworkAcls, "NetworkAclIds Filters MaxResults"),
    WRITE(CreateNetworkAclEntry, "NetworkAclId RuleNumber Protocol RuleAction Egress CidrBlock "
          "Ipv6CidrBlock IcmpTypeCode PortRange", NULL),
    WRITE(ReplaceNetworkAclEntry, "NetworkAclId RuleNumber Protocol RuleAction Egress CidrBlock "
          "Ipv6CidrBlock IcmpTypeCode PortRange", NULL),
    WRITE(DeleteNetworkAclEntry, "NetworkAclId RuleNumber Egress", NULL),
    WRITE(ReplaceNetworkAclAssociation, "AssociationId NetworkAclId", "*"),
    WRITE(CreateSecurityGroup, "GroupName Description VpcId TagSpecifications", "*"),
    WRITE(DeleteSecurityGroup, "GroupId", NULL),
    DESCRIBE(DescribeSecurityGroups, "GroupIds Filters MaxResults"),
    READ(DescribeSecurityGroupRules, "SecurityGroupRuleIds Filters MaxResults"),
    WRITE(AuthorizeSecurityGroupIngress, "GroupId IpPermissions IpProtocol FromPort ToPort CidrIp "
          "TagSpecifications", "*"),
    WRITE(AuthorizeSecurityGroupEgress, "GroupId IpPermissions IpProtocol FromPort ToPort CidrIp "
          "TagSpecifications", "*"),
    WRITE(RevokeSecurityGroupIngress, "GroupId IpPermissions IpProtocol FromPort ToPort CidrIp "
          "SecurityGroupRuleIds", "*"),
    WRITE(RevokeSecurityGroupEgress, "GroupId IpPermissions IpProtocol FromPort ToPort CidrIp "
          "SecurityGroupRuleIds", "*"),
    WRITE(CreateDhcpOptions, "DhcpConfigurations TagSpecifications", "*"),
    WRITE(DeleteDhcpOptions, "DhcpOptionsId", NULL),
    DESCRIBE(DescribeDhcpOptions, "DhcpOptionsIds Filters MaxResults"),
    WRITE(AllocateAddress, "Domain NetworkBorderGroup TagSpecifications", "*"),
    WRITE(ReleaseAddress, "AllocationId PublicIp", NULL),
    READ(DescribeAddresses, "AllocationIds PublicIps Filters"),
    WRITE(AssociateAddress, "AllocationId PublicIp InstanceId NetworkInterfaceId PrivateIpAddress "
          "AllowReassociation", "*"),
    WRITE(DisassociateAddress, "AssociationId PublicIp", NULL),
    WRITE_BY(RunInstances, need_run, "ImageId InstanceType MinCount MaxCount SubnetId "
             "SecurityGroupIds PrivateIpAddress NetworkInterfaces UserData IamInstanceProfile "
             "KeyName Placement Monitoring DisableApiTermination "
             "InstanceInitiatedShutdownBehavior TagSpecifications ClientToken", "*"),
    WRITE(StartInstances, "InstanceIds", "*"),
    WRITE(StopInstances, "InstanceIds Force", "*"),
    WRITE(RebootInstances, "InstanceIds", NULL),
    WRITE(TerminateInstances, "InstanceIds Force", "*"),
    READ(DescribeInstances, "InstanceIds Filters MaxResults"),
    READ(DescribeInstanceStatus, "InstanceIds Filters MaxResults IncludeAllInstances"),
    READ(DescribeInstanceAttribute, "InstanceId Attribute"),
    WRITE(ModifyInstanceAttribute, "InstanceId Attribute Value SourceDestCheck "
          "DisableApiTermination InstanceType UserData InstanceInitiatedShutdownBehavior Groups",
          NULL),
    WRITE(CreateTags, "Resources Tags", NULL),
    WRITE(DeleteTags, "Resources Tags", NULL),
    READ(DescribeTags, "Filters MaxResults"),
    READ(DescribeAvailabilityZones, "ZoneNames ZoneIds AllAvailabilityZones Filters"),
    READ(DescribeRegions, "RegionNames AllRegions Filters"),
    READ(DescribeAccountAttributes, "AttributeNames"),
};

const struct room ec2_room = {
    .name = "ec2",
    .model = &ec2_model,
    .event_source = "ec2.amazonaws.com",
    .ops = rows,
    .n_ops = ARRAY_LEN(rows),
    .validation_code = NULL, /* begin.c speaks EC2's own words */
    .denied_code = "UnauthorizedOperation",
    /* https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html */
    .denied_words = "You are not authorized to perform this operation. ",
    .jobs = ec2_jobs,
};
