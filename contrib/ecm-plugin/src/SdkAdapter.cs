// SPDX-License-Identifier: Apache-2.0
// The only file that names members of the ECM SDK, beyond the signatures of its interface. Members whose names are known
// for certain are named in C#; every other one is found by name at run time, from the table below, so that an SDK with
// other names needs a line in the file of MemberMap and not a new build.
//
// A row names what the gateway's API calls the value, the SDK type where the search begins, and candidate names in the
// order in which they are tried. Names have no letter case; a dot goes into a member. When a session is read, the first
// candidate with a value counts. What was found is logged once at the start.
//
// Not here: JSON of the gateway (GatewayMessages.cs), and the file of MemberMap (MemberMap.cs).

using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Reflection;
using BeyondTrust.Integration.ECM.SDK.Model;
using BeyondTrust.Integration.ECM.SDK.Plugin;

namespace Jumpgate.EcmPlugin;

/// <summary>The SDK has no member, or no value, that the call cannot do without.</summary>
internal sealed class SdkMemberException(string message) : Exception(message);

/// <summary>What the vendor's host program is made of.</summary>
/// <param name="Configuration">The type of its settings.</param>
/// <param name="LoggerFactory">A service that must exist before every other.</param>
/// <param name="ServiceFactory">The service that makes the vendor's hosted service.</param>
public sealed record EcmHostTypes(Type Configuration, Type LoggerFactory, Type ServiceFactory);

internal sealed class SdkAdapter
{
    /// <summary>One row of the table.</summary>
    private sealed record Row(string Name, Type Type, Need Need, params string[] Names);

    private const string EndpointHostname = "endpoint.hostname";
    private const string KeyPackage = "credential.key_package";

    private static readonly Row[] Table =
    [
        new("session.id", typeof(SRASession), Need.Health,
            "SessionId", "SessionKey", "Id", "LSID", "LogicalSessionId", "Session.Id", "Session.SessionId"),
        new("session.lsid", typeof(SRASession), Need.Optional,
            "LSID", "LogicalSessionId", "SessionLSID", "SessionId", "SessionKey", "Session.LSID"),
        new("user.username", typeof(SRASession), Need.Health,
            "SRAUser.Username", "SRAUser.Name", "SRAUser.LoginName", "User.Username", "User.Name", "Username"),
        new("user.domain", typeof(SRASession), Need.Optional,
            "SRAUser.Domain", "SRAUser.DomainName", "SRAUser.UserDomain", "User.Domain", "User.DomainName", "UserDomain"),
        new("jump_item.name", typeof(SRASession), Need.Optional, "JumpItem.Name", "JumpItem.DisplayName", "JumpItem.JumpItemName"),
        new("jump_item.hostname", typeof(SRASession), Need.Optional, "JumpItem.Hostname", "JumpItem.Host", "JumpItem.FQDN"),
        new("jump_item.ip_address", typeof(SRASession), Need.Optional,
            "JumpItem.IPAddress", "JumpItem.Address", "JumpItem.IP", "JumpItem.PrivateIP"),
        new("jump_item.port", typeof(SRASession), Need.Optional, "JumpItem.Port"),
        new("jump_item.method", typeof(SRASession), Need.Optional,
            "JumpItem.JumpMethod", "JumpItem.Method", "JumpItem.JumpItemType", "JumpItem.JumpType", "JumpItem.Type"),
        new("jump_item.application", typeof(SRASession), Need.Optional,
            "JumpItem.Application", "JumpItem.ApplicationName", "JumpItem.ApplicationDisplayName"),
        new("jump_item.network_id", typeof(SRASession), Need.Optional, "JumpItem.NetworkId", "JumpItem.ExternalJumpItemNetworkId"),
        new("endpoint.endpoint_id", typeof(EndpointPackage), Need.Optional, "EndpointId", "Id", "ExternalId", "ExternalEndpointId"),
        new("endpoint.name", typeof(EndpointPackage), Need.Optional, "Name", "DisplayName", "DisplayValue", "EndpointName"),
        new(EndpointHostname, typeof(EndpointPackage), Need.Call, "Hostname", "Host", "ComputerName", "HostnameOrIP", "Address"),
        new("endpoint.ip_address", typeof(EndpointPackage), Need.Optional, "IPAddress", "IP"),
        new("endpoint.port", typeof(EndpointPackage), Need.Optional, "Port"),
        new("endpoint.method", typeof(EndpointPackage), Need.Optional,
            "EndpointType", "EndpointPackageType", "PackageType", "JumpMethod", "Method", "Type", "JumpItemType"),
        new("endpoint.comments", typeof(EndpointPackage), Need.Optional, "Comments", "Comment", "Description"),
        new("endpoint.network_id", typeof(EndpointPackage), Need.Optional, "NetworkId", "ExternalJumpItemNetworkId"),
        new("health.healthy", typeof(PluginHealthStatus), Need.Optional, "IsHealthy", "Healthy"),
        new("health.reason", typeof(PluginHealthStatus), Need.Optional,
            "Message", "StatusMessage", "Reason", "ErrorMessage", "Details", "Description"),
        new("result.error", typeof(ActionResult), Need.Optional, "ErrorMessage", "Message", "Error", "ErrorText"),
        // A static method that takes a key; its parameters are matched by name.
        new(KeyPackage, typeof(CredentialPackage), Need.Optional,
            "BuildSshKeyPackage", "BuildPrivateKeyPackage", "BuildSshPrivateKeyPackage", "BuildUsernamePrivateKeyPackage",
            "BuildUsernameSshKeyPackage", "BuildUsernameKeyPackage", "BuildKeyPackage"),
    ];

    // 32 hex digits, the same with dashes, and that in braces.
    private static readonly string[] LsidForms = ["N", "D", "B"];

    private const BindingFlags Instance = BindingFlags.Public | BindingFlags.Instance;

    private readonly Dictionary<string, Row> rows;
    private readonly MemberMap map;
    private readonly Type sessionType;
    private readonly Type endpointType;
    private readonly Type packageType;
    private readonly ConcurrentDictionary<(Type, string), MemberInfo?> found = new();

    /// <param name="map">Rows that override the table's.</param>
    /// <param name="sessionType">The type of the sessions that come; tests have one with more members.</param>
    /// <param name="endpointType">The type of the endpoints that are made; likewise.</param>
    /// <param name="packageType">The type with the methods that make packages of keys; likewise.</param>
    internal SdkAdapter(MemberMap map, Type? sessionType = null, Type? endpointType = null, Type? packageType = null)
    {
        this.map = map;
        this.packageType = packageType ?? typeof(CredentialPackage);
        this.sessionType = sessionType ?? typeof(SRASession);
        this.endpointType = endpointType ?? typeof(EndpointPackage);
        rows = Table.ToDictionary(row => row.Name, row => map.Rows.TryGetValue(row.Name, out var instead)
            ? row with { Names = instead.Names ?? row.Names, Need = instead.Need ?? row.Need }
            : row);
    }

    /// <summary>Names of all rows, for a message.</summary>
    internal static string RowNames => string.Join(' ', Table.Select(row => row.Name));

    internal static bool HasRow(string name) => Array.Exists(Table, row => row.Name == name);

    // ---- what was found ----

    /// <summary>Logs which members were found and which were not.</summary>
    internal void LogMembers(PluginLog log)
    {
        var there = new List<string>();
        var absent = new List<string>();
        foreach (var row in rows.Values)
        {
            var where = Declared(row);
            if (where is not null)
            {
                there.Add($"{row.Name}={where}");
            }
            else if (row.Need == Need.Optional)
            {
                absent.Add(row.Name);
            }
            else
            {
                log.Error("SDK member missing: " + NotFound(row));
            }
        }
        log.Info("SDK members found: " + string.Join(' ', there));
        if (absent.Count > 0)
        {
            log.Info("SDK members not found, left out: " + string.Join(' ', absent));
        }
    }

    /// <summary>Why the plug-in cannot work with this SDK, or null.</summary>
    internal string? Unfit()
    {
        var missing = rows.Values.Where(row => row.Need == Need.Health && Declared(row) is null).Select(NotFound).ToArray();
        return missing.Length == 0 ? null : string.Join("; ", missing);
    }

    private string NotFound(Row row) =>
        $"{row.Name}: {RootOf(row).Name} has none of {string.Join(' ', row.Names)}; name the right one in MemberMap";

    private Type RootOf(Row row) =>
        row.Type == typeof(SRASession) ? sessionType : row.Type == typeof(EndpointPackage) ? endpointType : row.Type;

    /// <summary>The first candidate that the declared types have.</summary>
    private string? Declared(Row row) =>
        row.Name == KeyPackage ? KeyMethod()?.Name : Array.Find(row.Names, name => Reaches(RootOf(row), name));

    private bool Reaches(Type type, string path)
    {
        foreach (var step in path.Split('.'))
        {
            var member = Member(type, step);
            if (member is null)
            {
                return false;
            }
            type = TypeOf(member);
        }
        return true;
    }

    // ---- reading the session ----

    /// <summary>The session as the gateway wants it.</summary>
    /// <param name="session">What the SDK gave.</param>
    /// <param name="withId">Whether the call cannot do without the session's id.</param>
    /// <exception cref="SdkMemberException">A member that the call needs is missing or has no value.</exception>
    internal GatewaySession ReadSession(SRASession? session, bool withId)
    {
        if (session is null)
        {
            throw new SdkMemberException("the ECM gave no session");
        }
        var id = Text(session, "session.id");
        if (id is null && withId)
        {
            throw Absent("session.id");
        }
        var (domain, username) = Person(session);
        var address = Text(session, "jump_item.ip_address");
        var isAddress = IPAddress.TryParse(address, out _);
        return new GatewaySession
        {
            Id = id,
            Lsid = Lsid(session),
            Username = username,
            Domain = domain,
            Method = Method(Read(session, "jump_item.method")),
            ComputerName = Blank(session.JumpItem?.ComputerName),
            Hostname = Text(session, "jump_item.hostname") ?? (isAddress ? null : address),
            IpAddress = isAddress ? address : null,
            Name = Text(session, "jump_item.name"),
            Port = Port(Read(session, "jump_item.port")),
            Application = Text(session, "jump_item.application"),
            NetworkId = Text(session, "jump_item.network_id"),
        };
    }

    /// <summary>The API's name of an endpoint type of the SDK.</summary>
    internal string EndpointType(object type)
    {
        var name = type.ToString() ?? "";
        return map.EndpointTypes.TryGetValue(name, out var word) ? word
            : name.Contains("rdp", StringComparison.OrdinalIgnoreCase) ? "rdp"
            : IsShell(name) ? "shell"
            : "other";
    }

    private static bool IsShell(string name) =>
        name.Contains("shell", StringComparison.OrdinalIgnoreCase) || name.Contains("ssh", StringComparison.OrdinalIgnoreCase);

    private SdkMemberException Absent(string name)
    {
        var row = rows[name];
        return new(Declared(row) is { } where ? $"{name}: the ECM gave a session whose {where} is empty" : NotFound(row));
    }

    // DOMAIN\name is split, a UPN is kept whole; a domain of its own member counts before the split one.
    private (string? Domain, string Username) Person(SRASession session)
    {
        var name = Text(session, "user.username") ?? throw Absent("user.username");
        var domain = Text(session, "user.domain");
        var slash = name.IndexOf('\\', StringComparison.Ordinal);
        return slash < 0
            ? (domain, name)
            : (domain ?? Blank(name[..slash]), Blank(name[(slash + 1)..]) ?? throw Absent("user.username"));
    }

    // A member of that name that holds something else must not spoil the call: the gateway takes this form only.
    private string? Lsid(SRASession session)
    {
        foreach (var name in rows["session.lsid"].Names)
        {
            if (Follow(session, name) is { } value && AsText(value) is { } text
                && Array.Exists(LsidForms, form => Guid.TryParseExact(text, form, out _)) && text.Trim().Length == text.Length)
            {
                return text;
            }
        }
        return null;
    }

    private static string? Method(object? value) =>
        value is string or Enum && AsText(value) is { } name
            ? name.Contains("rdp", StringComparison.OrdinalIgnoreCase) ? "rdp"
            : IsShell(name) ? "shell"
            : name.Contains("web", StringComparison.OrdinalIgnoreCase) ? "web"
            : name.Contains("tunnel", StringComparison.OrdinalIgnoreCase) ? "tunnel"
            : name.Contains("client", StringComparison.OrdinalIgnoreCase) ? "jump_client"
            : "other"
            : null;

    private static int? Port(object? value) =>
        value is not null && int.TryParse(AsText(value), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
        && port is > 0 and <= 65535 ? port : null;

    private string? Text(object root, string name) => Read(root, name) is { } value ? AsText(value) : null;

    /// <summary>The first candidate of the row with a value, or null.</summary>
    private object? Read(object root, string name)
    {
        foreach (var path in rows[name].Names)
        {
            if (Follow(root, path) is { } value && AsText(value) is not null)
            {
                return value;
            }
        }
        return null;
    }

    private object? Follow(object root, string path)
    {
        object? value = root;
        foreach (var step in path.Split('.'))
        {
            if (value is null || Member(value.GetType(), step) is not { } member)
            {
                return null;
            }
            try
            {
                value = member is PropertyInfo property ? property.GetValue(value) : ((FieldInfo)member).GetValue(value);
            }
            catch (TargetInvocationException)
            {
                return null;
            }
        }
        return value;
    }

    private static string? Blank(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;

    /// <summary>A simple value as text; null for blank texts and for objects.</summary>
    private static string? AsText(object value) => value switch
    {
        string text => Blank(text),
        Guid guid => guid == Guid.Empty ? null : guid.ToString("D"),
        Enum name => name.ToString(),
        IPAddress address => address.ToString(),
        bool or char => null,
        IFormattable number when value.GetType().IsPrimitive => number.ToString(null, CultureInfo.InvariantCulture),
        _ => null,
    };

    // ---- finding members ----

    /// <summary>A readable public property or field: exact name first, then without letter case; the most derived.</summary>
    private MemberInfo? Member(Type type, string name) => found.GetOrAdd((type, name), key =>
    {
        foreach (var comparison in new[] { StringComparison.Ordinal, StringComparison.OrdinalIgnoreCase })
        {
            for (var t = key.Item1; t is not null; t = t.BaseType)
            {
                foreach (var member in t.GetMembers(Instance | BindingFlags.DeclaredOnly))
                {
                    if (member.Name.Equals(key.Item2, comparison)
                        && member is FieldInfo or PropertyInfo { CanRead: true } && IsPlain(member))
                    {
                        return member;
                    }
                }
            }
        }
        return null;
    });

    private static bool IsPlain(MemberInfo member) => member is not PropertyInfo property || property.GetIndexParameters().Length == 0;

    private static Type TypeOf(MemberInfo member) =>
        member is PropertyInfo property ? property.PropertyType : ((FieldInfo)member).FieldType;

    // ---- making results ----

    internal static ActionResult Success() => new() { IsSuccess = true };

    internal static ActionResult<T> Success<T>(T value)
        where T : class => new() { IsSuccess = true, ResultValue = value };

    internal ActionResult Failed(string text)
    {
        var made = new ActionResult { IsSuccess = false };
        Set(made, "result.error", text);
        return made;
    }

    internal ActionResult<T> Failed<T>(string text)
        where T : class
    {
        var made = new ActionResult<T> { IsSuccess = false };
        Set(made, "result.error", text);
        return made;
    }

    internal static PluginCapabilities Capabilities(CapabilityFlags flags) => new()
    {
        SupportsCredentialsUsed = flags.CredentialsUsed == true,
        SupportsEndpointSearch = flags.EndpointSearch == true,
        SupportsHealthCheck = flags.HealthCheck == true,
        SupportsSessionComplete = flags.SessionComplete == true,
        SupportsSessionStarted = flags.SessionStarted == true,
        SupportsStartSession = flags.StartSession == true,
    };

    /// <summary>The SDK's health; null where it cannot say that something is not healthy.</summary>
    internal PluginHealthStatus? Health(bool healthy, string reason)
    {
        var made = new PluginHealthStatus();
        var said = Set(made, "health.healthy", healthy);
        if (!healthy)
        {
            Set(made, "health.reason", reason);
        }
        return said || healthy ? made : null;
    }

    internal static CredentialSummary Summary(Credential credential) =>
        new() { CredentialId = credential.CredentialId!, DisplayValue = credential.DisplayValue! };

    /// <summary>The package for injection.</summary>
    /// <exception cref="SdkMemberException">The SDK takes no secret of this kind.</exception>
    internal CredentialPackage Package(SecretAnswer secret) => secret.Kind switch
    {
        SecretAnswer.PasswordKind =>
            CredentialPackage.BuildUsernamePasswordPackage(secret.CredentialId!, secret.Username!, secret.Password!),
        SecretAnswer.KeyKind => PackageOfKey(secret),
        _ => throw new SdkMemberException($"the credential is of a kind that the ECM SDK cannot take ({PluginLog.OneLine(secret.Kind!, 32)})"),
    };

    private CredentialPackage PackageOfKey(SecretAnswer secret)
    {
        var method = KeyMethod() ?? throw new SdkMemberException(
            "the credential is an SSH key, and the ECM SDK has no package for keys; if it has one, name its method in MemberMap as " + KeyPackage);
        var arguments = Array.ConvertAll(method.GetParameters(), parameter => KeyArgument(parameter.Name ?? "") switch
        {
            'c' => secret.CredentialId,
            'u' => secret.Username,
            'k' => secret.PrivateKey,
            'p' => secret.Passphrase,
            _ => parameter.DefaultValue,
        });
        return (CredentialPackage)method.Invoke(null, arguments)!;
    }

    /// <summary>The static method that makes a package of a key: it takes a key, and nothing that is not known.</summary>
    private MethodInfo? KeyMethod()
    {
        foreach (var name in rows[KeyPackage].Names)
        {
            foreach (var method in packageType.GetMethods(BindingFlags.Public | BindingFlags.Static))
            {
                var parameters = method.GetParameters();
                if (method.Name.Equals(name, StringComparison.OrdinalIgnoreCase)
                    && typeof(CredentialPackage).IsAssignableFrom(method.ReturnType)
                    && Array.Exists(parameters, p => KeyArgument(p.Name ?? "") == 'k')
                    && Array.TrueForAll(parameters, p => p.HasDefaultValue || (KeyArgument(p.Name ?? "") != '-' && p.ParameterType == typeof(string))))
                {
                    return method;
                }
            }
        }
        return null;
    }

    // What a parameter of that name is given: credential id, user name, key, passphrase.
    private static char KeyArgument(string name) =>
        name.Contains("credential", StringComparison.OrdinalIgnoreCase) ? 'c'
        : name.Contains("pass", StringComparison.OrdinalIgnoreCase) ? 'p'
        : name.Contains("key", StringComparison.OrdinalIgnoreCase) ? 'k'
        : name.Contains("user", StringComparison.OrdinalIgnoreCase) ? 'u'
        : '-';

    /// <summary>The endpoints as the SDK has them.</summary>
    /// <exception cref="SdkMemberException">The SDK's type cannot be made, or cannot hold a host name.</exception>
    internal IReadOnlyList<EndpointPackage> Endpoints(IEnumerable<EndpointRow> endpoints)
    {
        // Also where the list is empty: an SDK whose type is not known is no reason to say that nothing was found.
        if (rows[EndpointHostname] is { Need: not Need.Optional } row && Declared(row) is null)
        {
            throw new SdkMemberException(NotFound(row));
        }
        return endpoints.Select(Endpoint).ToArray();
    }

    private EndpointPackage Endpoint(EndpointRow row)
    {
        var values = new Dictionary<string, object?>
        {
            ["endpoint.endpoint_id"] = row.EndpointId,
            ["endpoint.name"] = row.Name,
            [EndpointHostname] = row.Hostname,
            ["endpoint.ip_address"] = row.IpAddress,
            ["endpoint.port"] = row.Port,
            ["endpoint.method"] = row.Method,
            ["endpoint.comments"] = row.Comments,
            ["endpoint.network_id"] = row.NetworkId,
        };
        var made = Construct(values);
        foreach (var (name, value) in values)
        {
            if (value is not null && !Set(made, name, value) && rows[name].Need != Need.Optional)
            {
                throw new SdkMemberException(NotFound(rows[name]));
            }
        }
        return made;
    }

    // The parameterless constructor, or one whose parameters all have the name of a candidate.
    private EndpointPackage Construct(Dictionary<string, object?> values)
    {
        foreach (var constructor in endpointType.GetConstructors().OrderBy(c => c.GetParameters().Length))
        {
            var parameters = constructor.GetParameters();
            var arguments = new object?[parameters.Length];
            var fits = true;
            for (var i = 0; i < parameters.Length && fits; i++)
            {
                var name = parameters[i].Name ?? "";
                var row = values.Keys.FirstOrDefault(key => rows[key].Names.Contains(name, StringComparer.OrdinalIgnoreCase));
                fits = row is not null && (values[row] is not { } value || Convert(value, parameters[i].ParameterType, out arguments[i]));
                if (fits && arguments[i] is null && parameters[i].ParameterType.IsValueType)
                {
                    arguments[i] = Activator.CreateInstance(parameters[i].ParameterType);
                }
            }
            if (fits && !endpointType.IsAbstract)
            {
                return (EndpointPackage)constructor.Invoke(arguments);
            }
        }
        throw new SdkMemberException($"{endpointType.Name} has no constructor that the plug-in can use");
    }

    /// <summary>Sets the first candidate that takes the value; false where none does.</summary>
    private bool Set(object target, string name, object value)
    {
        foreach (var candidate in rows[name].Names)
        {
            var member = Member(target.GetType(), candidate);
            if (member is null || !Convert(value, TypeOf(member), out var converted))
            {
                continue;
            }
            if (member is PropertyInfo { SetMethod: { IsPublic: true } setter })
            {
                try
                {
                    setter.Invoke(target, [converted]);
                    return true;
                }
                catch (TargetInvocationException)
                {
                    // The member does not take this value; another candidate may.
                    continue;
                }
            }
            if (member is FieldInfo { IsInitOnly: false } field)
            {
                field.SetValue(target, converted);
                return true;
            }
            // A member that the constructor has set already.
            if (Equals(Follow(target, candidate), converted))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>A value of the API as the type of the SDK's member.</summary>
    private bool Convert(object value, Type wanted, out object? made)
    {
        wanted = Nullable.GetUnderlyingType(wanted) ?? wanted;
        made = wanted.IsInstanceOfType(value) ? value
            : wanted == typeof(string) ? AsText(value)
            : wanted == typeof(Guid) && value is string form ? (Guid.TryParse(form, out var guid) ? guid : null)
            : wanted.IsEnum && value is string word ? Array.Find(Enum.GetValues(wanted).Cast<object>().ToArray(), one => EndpointType(one) == word)
            : value is int number && wanted.IsPrimitive && wanted != typeof(bool) && wanted != typeof(char) && Fits(number, wanted)
                ? System.Convert.ChangeType(number, wanted, CultureInfo.InvariantCulture)
            : null;
        return made is not null;
    }

    private static bool Fits(int number, Type wanted) =>
        Type.GetTypeCode(wanted) is not (TypeCode.Byte or TypeCode.SByte) && (Type.GetTypeCode(wanted) != TypeCode.Int16 || number <= short.MaxValue);

    // ---- the SDK's side, for the test host ----

    /// <summary>A session of the SDK's type; what <see cref="ReadSession"/> reads can be written with Write().</summary>
    internal SRASession NewSession() => (SRASession)Activator.CreateInstance(sessionType)!;

    /// <summary>Writes a member of a session, making the objects on the way; false where the SDK has none that takes it.</summary>
    internal bool Write(SRASession session, string name, object value)
    {
        string[] paths = name == "jump_item.computer_name" ? ["JumpItem.ComputerName"] : rows[name].Names;
        foreach (var path in paths.Where(path => Reaches(sessionType, path)))
        {
            object target = session;
            var steps = path.Split('.');
            foreach (var step in steps[..^1])
            {
                var property = (PropertyInfo)Member(target.GetType(), step)!;
                var next = property.GetValue(target) ?? Activator.CreateInstance(property.PropertyType)!;
                property.SetValue(target, next);
                target = next;
            }
            if (Member(target.GetType(), steps[^1]) is PropertyInfo { CanWrite: true } member && Convert(value, member.PropertyType, out var made))
            {
                member.SetValue(target, made);
                return true;
            }
        }
        return false;
    }

    /// <summary>Endpoint types of the SDK by name or by number.</summary>
    internal static IReadOnlyList<EndpointPackageType> EndpointTypes(IEnumerable<string> names) =>
        names.Select(name => (EndpointPackageType)Enum.Parse(typeof(EndpointPackageType), name, ignoreCase: true)).ToArray();

    /// <summary>What a result of any operation says.</summary>
    internal (bool Success, object? Value, string? Error) Outcome(object result) =>
        (Follow(result, "IsSuccess") is true, Follow(result, "ResultValue"), Text(result, "result.error"));
}

/// <summary>The vendor's host types, for the worker of host/.</summary>
public static class EcmHosting
{
    /// <summary>The configuration section of the vendor's service.</summary>
    public const string Section = "ECMConfig";

    /// <summary>The key of its secret.</summary>
    public const string SecretKey = "SRAClientSecret";

    /// <summary>Its keys, all of which it needs.</summary>
    public static IReadOnlyList<string> Keys { get; } = ["SRASiteHostname", "SRAClientId", SecretKey];

    /// <summary>The types of the vendor's host, from the SDK's assembly and the service's beside it.</summary>
    /// <exception cref="InvalidOperationException">One is not there.</exception>
    public static EcmHostTypes Types()
    {
        var assemblies = new List<Assembly> { typeof(IECMPlugin).Assembly };
        try
        {
            assemblies.Add(Assembly.Load("BeyondTrustECMService"));
        }
        catch (Exception e) when (e is IOException or BadImageFormatException)
        {
            // Its absence is said below, by the type that is missing.
        }
        return new(Find("ECMConfig"), Find("ECMLoggerFactory"), Find("ECMServiceFactory"));

        Type Find(string name) =>
            assemblies.SelectMany(assembly => assembly.GetExportedTypes()).FirstOrDefault(type => type.Name == name)
            ?? throw new InvalidOperationException(
                $"the type {name} is not in {string.Join(" nor in ", assemblies.Select(a => a.GetName().Name))}; BeyondTrustECMService.dll belongs beside the host");
    }

    /// <summary>The vendor's hosted service, made by its factory.</summary>
    /// <exception cref="InvalidOperationException">The factory does not make one.</exception>
    public static object MakeService(object factory)
    {
        ArgumentNullException.ThrowIfNull(factory);
        var method = factory.GetType().GetMethod("CreateECMService", Type.EmptyTypes)
            ?? throw new InvalidOperationException($"{factory.GetType().Name} has no method CreateECMService without arguments");
        return method.Invoke(factory, null) ?? throw new InvalidOperationException("CreateECMService made nothing");
    }
}
